/** Bytes that are the same in every run and nowhere repeat in step with a chunk, and streams of them that are never whole in memory. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { StreamReader, StreamWriter } from "asyncio-streams";

const PERIOD = 1_048_573;
const bytes = Buffer.alloc(2 * PERIOD);
for (let at = 0, state = 1; at < PERIOD; at += 1) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
  bytes[at] = state >> 16;
}
bytes.copy(bytes, PERIOD, 0, PERIOD);

/** `length` bytes (at most a period) from any offset. */
export function payload(length: number, offset: number = 0): Buffer {
  const start = offset % PERIOD;
  return bytes.subarray(start, start + length);
}

/** Chunk sizes from one byte to far above the high-water mark. */
const SIZES = [1, 700, 65_536, 64, 100_003, 4_096, 300_000, 16_384];

/** Sends `total` bytes with back-pressure, and asserts that the buffer stays bounded; returns their checksum. */
export async function sendBytes(writer: StreamWriter, total: number): Promise<string> {
  const hash = createHash("sha1");
  const { transport } = writer;
  const [, high] = transport.getWriteBufferLimits();
  for (let sent = 0, turn = 0; sent < total; turn += 1) {
    const chunk = payload(Math.min(SIZES[turn % SIZES.length]!, total - sent), sent);
    hash.update(chunk);
    writer.write(chunk);
    sent += chunk.length;
    assert.ok(transport.getWriteBufferSize() <= high + chunk.length, "the write buffer is bounded");
    await writer.drain();
    assert.ok(transport.getWriteBufferSize() <= high, "drain() waits until the buffer is below the mark");
  }
  return hash.digest("hex");
}

/** Reads `total` bytes; returns their checksum. */
export async function receiveBytes(reader: StreamReader, total: number): Promise<string> {
  const hash = createHash("sha1");
  for (let received = 0; received < total; ) {
    const chunk = await reader.read(Math.min(65_536, total - received));
    assert.ok(chunk.length > 0, `the stream ended after ${received} bytes`);
    hash.update(chunk);
    received += chunk.length;
  }
  return hash.digest("hex");
}

/** The checksum of so many bytes of the payload. */
export async function checksum(total: number): Promise<string> {
  let sent = 0;
  return receiveBytes({ read: async (n: number) => payload(n, (sent += n) - n) } as unknown as StreamReader, total);
}
