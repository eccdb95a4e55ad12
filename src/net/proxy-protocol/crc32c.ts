/** The checksum CRC-32C of RFC 9260, appendix A: polynomial 0x1EDC6F41, reflected. */

const REFLECTED_POLYNOMIAL = 0x82f63b78;

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ REFLECTED_POLYNOMIAL : rest >>> 1;
  return rest;
});

/** Returns the checksum of all bytes, as if the four bytes at `zeroedAt` were zero. */
export function crc32c(bytes: Uint8Array, zeroedAt: number): number {
  let rest = 0xffffffff;
  for (const [index, byte] of bytes.entries()) {
    const counted = index >= zeroedAt && index < zeroedAt + 4 ? 0 : byte;
    rest = (rest >>> 8) ^ (TABLE[(rest ^ counted) & 0xff] as number);
  }
  return (rest ^ 0xffffffff) >>> 0;
}
