/** Giving the memory of a chunk away, by every way that a program has. */
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import type { Random } from "../test/support/random.js";
import { nodeMajor, runtime } from "../test/support/runtime.js";
import { countCruelty, type End, noteGift } from "./end.js";
import { OF_THE_PROGRAM } from "./retained.js";

type Bytes = Uint8Array<ArrayBuffer>;

/** Moves the memory of a chunk; returns the same bytes where they are now. */
type Way = (chunk: Bytes) => Promise<Uint8Array> | Uint8Array;

/** Of ES2024; Node 20 lacks it. */
interface TransferableBuffer extends ArrayBuffer {
  transfer(): ArrayBuffer;
}

const canTransfer = "transfer" in ArrayBuffer.prototype;

const WAYS: Readonly<Record<string, Way>> = {
  structuredClone: (chunk) => structuredClone(chunk, { transfer: [chunk.buffer] }),
  "postMessage()": byPort,
  "enqueue()": byStream,
  ...(canTransfer ? { "transfer()": byTransfer } : {}),
};

/** The ways that this runtime has. */
export const WAYS_TO_GIVE: readonly string[] = Object.keys(WAYS);

function byPort(chunk: Bytes): Uint8Array {
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(chunk, [chunk.buffer]);
    return (receiveMessageOnPort(port2) as { readonly message: Uint8Array }).message;
  } finally {
    port1.close();
    port2.close();
  }
}

async function byStream(chunk: Bytes): Promise<Uint8Array> {
  const stream = new ReadableStream({ type: "bytes", start: (controller) => controller.enqueue(chunk) });
  const { value } = await stream.getReader().read();
  return value as Uint8Array;
}

function byTransfer({ buffer, byteOffset, length }: Bytes): Uint8Array {
  return new Uint8Array((buffer as TransferableBuffer).transfer(), byteOffset, length);
}

/**
 * Node: before version 26, `enqueue()` takes away even the pool of `Buffer`, which breaks every `Buffer.from()` of the process, without
 * this library: `new ReadableStream({ type: "bytes", start: (controller) => controller.enqueue(Buffer.from("x")) })`.
 */
function wouldTakePool(way: string, { buffer }: Bytes): boolean {
  return way === "enqueue()" && runtime === "node" && nodeMajor < 26 && buffer.byteLength === Buffer.poolSize;
}

/** What a platform says that keeps its memory. */
function isRefusal(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === "DataCloneError");
}

/**
 * Gives a chunk away, by a way that the dice choose. It is the program's from then on: the bytes stay as they are, wherever their memory
 * has gone.
 */
export async function giveAway(end: End, chunk: Buffer, random: Random): Promise<void> {
  const way = random.pick(WAYS_TO_GIVE);
  const bytes = chunk as Buffer<ArrayBuffer>;
  if (wouldTakePool(way, bytes)) return;
  const expected = new Uint8Array(chunk);
  let moved: Uint8Array;
  try {
    moved = await (WAYS[way] as Way)(bytes);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    countCruelty(end, `${way} refused`);
    return;
  }
  noteGift(end);
  countCruelty(end, way);
  if (Buffer.compare(moved, expected) !== 0)
    end.ledger.report(`bytes that were given away by ${way} are not what they were`, end.conversation);
  else end.retained.offer(moved, OF_THE_PROGRAM);
}
