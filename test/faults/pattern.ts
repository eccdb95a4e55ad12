/** Bytes that tell where they belong. */

/** A prime, so that a stretch that has slipped by any block size is seen. */
const PERIOD = 251;

/** The bytes from `at` on of a stream that has no end. */
export function pattern(at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index += 1) bytes[index] = (at + index) % PERIOD;
  return bytes;
}
