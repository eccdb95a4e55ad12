/**
 * What is sent: stretches of a random block that both ends know, so that each byte that comes can be compared with the one that was sent.
 */
import { createHash } from "node:crypto";
import { Random } from "../test/support/random.js";

/** The longest stretch that is sent in one piece of a conversation. */
const LONGEST_BYTES = 1_048_576;

/** A prime, so that no block size of the system's divides it. */
const BLOCK_BYTES = 1_048_583;

const block: Buffer = (() => {
  const random = new Random(1);
  const bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  for (let index = 0; index < BLOCK_BYTES; index += 1) bytes[index] = random.int(0, 255);
  const twice = Buffer.allocUnsafeSlow(2 * BLOCK_BYTES);
  twice.set(bytes);
  twice.set(bytes, BLOCK_BYTES);
  return twice;
})();

const checksumAtFirst = checksumOfBlock();

function checksumOfBlock(): string {
  return createHash("sha1").update(block).digest("hex");
}

/** Whether what was sent is still what it was: the library reads what it is given to write, and changes nothing there. */
export function blockIsUnchanged(): boolean {
  return checksumOfBlock() === checksumAtFirst;
}

/** A stretch of the block: where it begins, and how long it is. */
export interface Stretch {
  readonly at: number;
  readonly length: number;
}

/** So long that a read of all of it may get memory of its own before it has come. */
export const LONG_BYTES = 65_536;

/** A random stretch; often an empty one, seldom a long one. */
export function randomStretch(random: Random): Stretch {
  if (random.chance(0.03)) return { at: randomPlace(random), length: random.int(LONG_BYTES, 6 * LONG_BYTES) };
  const length = random.chance(0.1) ? 0 : random.size(random.chance(0.1) ? LONGEST_BYTES : 20_000);
  return { at: randomPlace(random), length };
}

/** A place where a stretch may begin. */
export function randomPlace(random: Random): number {
  return random.int(0, BLOCK_BYTES - 1);
}

/** The bytes of a stretch, in the block itself: not to be changed, and not to be given away. */
export function bytesOf({ at, length }: Stretch): Buffer {
  return block.subarray(at, at + length);
}
