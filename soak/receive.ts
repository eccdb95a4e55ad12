/**
 * Receiving, with every reading call, with calls that are given up and made again, and with what a program may do to the chunks that it
 * gets.
 */
import type { Random } from "../test/support/random.js";
import { accept, afterFailedRead } from "./arrivals.js";
import { takeDescriptors } from "./descriptors.js";
import { countCruelty, type End, randomOptions, shortWait } from "./end.js";
import { pause } from "./pauses.js";
import { bytesOf, LONG_BYTES, type Stretch } from "./stretches.js";
import { canTakeOver, takeOver } from "./take-over.js";

/** Lines are read by lines only if they are shorter than every limit of ours. */
const LONGEST_LINE_BYTES = 250;

/** Shorter ones come at once too often to be given up. */
const LONG_READ_BYTES = 1_000;

/** Small reads after a long one was given up. */
const MOST_SMALL_READS = 10;
const SMALL_READ_BYTES = 100;

/** Receives a stretch, and compares it. */
export async function receive(end: End, stretch: Stretch, random: Random): Promise<void> {
  let rest = bytesOf(stretch);
  const chunkBytes = random.size(rest.length) + (rest.length >> 6);
  while (rest.length > 0) {
    if (random.chance(rest.length > LONG_BYTES ? 0.3 : 0.03) && canTakeOver(end, rest)) rest = await takeOver(end, rest, random);
    else if (rest.length >= LONG_READ_BYTES && random.chance(0.03)) rest = await giveUpLongRead(end, rest, random);
    else rest = await readOn(end, rest, chunkBytes, random);
    if (random.chance(0.3)) takeDescriptors(end, random.int(0, 20));
    if (random.chance(0.05)) await pause(random, 5);
  }
}

/** One reading call, which may be given up. Returns what is still to come. */
async function readOn(end: End, rest: Buffer, mostBytes: number, random: Random): Promise<Buffer> {
  try {
    const bytes = await readSome(end, rest, mostBytes, random);
    return await accept(end, bytes, rest, random);
  } catch (error) {
    afterFailedRead(end, error, rest);
    return rest;
  }
}

/** Reading calls of any kind that give a part of `expected`. */
function readSome({ reader }: End, expected: Buffer, mostBytes: number, random: Random): Promise<Buffer> {
  const most = Math.min(expected.length, random.size(mostBytes) + 1);
  const options = randomOptions(random);
  if (random.chance(0.3)) {
    const newline = expected.indexOf("\n");
    if (newline !== -1 && newline < LONGEST_LINE_BYTES) {
      return random.chance(0.5) ? reader.readline(options) : reader.readuntil(["\n", "never there"], options);
    }
  }
  return random.chance(0.5) ? reader.read(most, options) : reader.readexactly(most, options);
}

/** Asks for all that is to come, gives up, and reads on in small parts. */
async function giveUpLongRead(end: End, rest: Buffer, random: Random): Promise<Buffer> {
  try {
    const bytes = await end.reader.readexactly(rest.length, shortWait(random));
    return await accept(end, bytes, rest, random);
  } catch (error) {
    afterFailedRead(end, error, rest);
  }
  countCruelty(end, "long read given up");
  let left = rest;
  for (let reads = random.int(1, MOST_SMALL_READS); reads > 0 && left.length > 0; reads -= 1) {
    left = await readOn(end, left, SMALL_READ_BYTES, random);
  }
  return left;
}
