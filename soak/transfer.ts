/**
 * Sending and receiving, in every way there is: in pieces of any size, with calls that are given up and made again.
 *
 * What is sent is a stretch of a random block that both ends know, so each byte that comes is compared with the one that was sent.
 */
import type { IncompleteReadError, SignalOptions, StreamReader, StreamWriter } from "asyncio-streams";
import { Random } from "../test/support/random.js";
import { type Conversation, Cut, type Ledger } from "./ledger.js";
import { pause } from "./pauses.js";

/** The longest stretch that is sent in one piece of a conversation. */
export const LONGEST_BYTES = 1_048_576;

/** Lines are read by lines only if they are shorter than every limit of ours. */
const LONGEST_LINE_BYTES = 250;

/** A prime, so that no block size of the system's divides it. */
const BLOCK_BYTES = 1_048_583;

const block: Buffer = (() => {
  const random = new Random(1);
  const bytes = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let index = 0; index < BLOCK_BYTES; index += 1) bytes[index] = random.int(0, 255);
  return Buffer.concat([bytes, bytes]);
})();

/** A stretch of the block: where it begins, and how long it is. */
export interface Stretch {
  readonly at: number;
  readonly length: number;
}

/** A random stretch; often an empty one, seldom a long one. */
export function randomStretch(random: Random): Stretch {
  const length = random.chance(0.1) ? 0 : random.size(random.chance(0.1) ? LONGEST_BYTES : 20_000);
  return { at: random.int(0, BLOCK_BYTES - 1), length };
}

/** One end of a conversation. */
export interface End {
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
  readonly conversation: Conversation;
  readonly ledger: Ledger;
}

/** Never aborted: what is left on it by any of the calls would pile up, and show in the memory. */
const forever = new AbortController().signal;

/** Waits of a call: none, the signal that never comes, one that comes at any moment, a time-out. */
function randomOptions(random: Random): SignalOptions | undefined {
  switch (random.int(0, 7)) {
    case 0:
      return { signal: forever };
    case 1:
      return { timeout: random.int(0, 3) };
    case 2:
    case 3: {
      const controller = new AbortController();
      void pause(random.fork(), 3).then(() => controller.abort());
      return { signal: controller.signal };
    }
    default:
      return undefined;
  }
}

function isGivenUp(error: unknown): boolean {
  const { name } = error as { readonly name?: unknown };
  return name === "AbortError" || name === "TimeoutError";
}

/** Sends a stretch. */
export async function send({ writer, ledger }: End, { at, length }: Stretch, random: Random): Promise<void> {
  const end = at + length;
  const pieceBytes = random.size(length);
  for (let from = at; from < end; ) {
    const to = Math.min(end, from + random.size(pieceBytes) + (length >> 6));
    const bytes = block.subarray(from, to);
    if (random.chance(0.2)) {
      const middle = random.int(0, bytes.length);
      writer.writelines([bytes.subarray(0, middle), bytes.subarray(middle)]);
    } else writer.write(bytes);
    from = to;
    try {
      if (random.chance(0.05)) await writer.flush(randomOptions(random));
      else if (random.chance(0.8)) await writer.drain(randomOptions(random));
    } catch (error) {
      if (!isGivenUp(error)) throw error;
      ledger.count("given up: drain");
      await writer.drain();
    }
    if (random.chance(0.05)) await pause(random, 5);
  }
}

/** Receives a stretch, and compares it. */
export async function receive(end: End, { at, length }: Stretch, random: Random): Promise<void> {
  const { ledger, conversation } = end;
  const last = at + length;
  const chunkBytes = random.size(length);
  for (let from = at; from < last; ) {
    const expected = block.subarray(from, last);
    try {
      const bytes = await readSome(end.reader, expected, chunkBytes + (length >> 6), random);
      if (bytes.length === 0) throw new Cut(`the end came ${expected.length} bytes too early`);
      ledger.check(bytes, expected, conversation);
      from += bytes.length;
    } catch (error) {
      const { code, partial } = error as IncompleteReadError;
      if (code === "ERR_INCOMPLETE_READ") ledger.check(partial, expected, conversation);
      if (!isGivenUp(error)) throw error;
      ledger.count("given up: read");
    }
    if (random.chance(0.05)) await pause(random, 5);
  }
}

/** One reading call, of any kind that has to give a part of `expected`. */
function readSome(reader: StreamReader, expected: Buffer, mostBytes: number, random: Random): Promise<Buffer> {
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
