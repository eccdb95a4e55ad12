/** Sending, in pieces of any size: out of memory that is wiped once it is sent, or given away before. */
import type { Random } from "../test/support/random.js";
import { carriesDescriptors, sendWithDescriptors } from "./descriptors.js";
import { countCruelty, type End, isGivenUp, noteGift, randomOptions } from "./end.js";
import { pause } from "./pauses.js";
import { bytesOf, type Stretch } from "./stretches.js";

/** Sends a stretch. */
export async function send(end: End, stretch: Stretch, random: Random): Promise<void> {
  const bytes = bytesOf(stretch);
  const { length } = bytes;
  const pieceBytes = random.size(length);
  for (let from = 0; from < length; ) {
    const to = Math.min(length, from + random.size(pieceBytes) + (length >> 6));
    await sendPiece(end, bytes.subarray(from, to), random);
    from = to;
    if (random.chance(0.05)) await pause(random, 5);
  }
}

async function sendPiece(end: End, piece: Buffer, random: Random): Promise<void> {
  const { writer } = end;
  if (end.gives === "written memory" && !end.without.has("written") && random.chance(0.3)) await sendAndGiveAway(end, piece, random);
  else if (piece.length > 0 && carriesDescriptors(end) && random.chance(0.3)) return sendWithDescriptors(end, piece, random);
  else if (random.chance(0.05)) return sendAndWipe(end, piece, random);
  else if (random.chance(0.2)) {
    const middle = random.int(0, piece.length);
    writer.writelines([piece.subarray(0, middle), piece.subarray(middle)]);
  } else writer.write(piece);
  return wait(end, random);
}

async function wait({ writer, ledger }: End, random: Random): Promise<void> {
  try {
    if (random.chance(0.05)) await writer.flush(randomOptions(random));
    else if (random.chance(0.8)) await writer.drain(randomOptions(random));
  } catch (error) {
    if (!isGivenUp(error)) throw error;
    ledger.count("given up: drain");
    await writer.drain();
  }
}

/** The contract: memory may be changed once `flush()` has said that all of it is sent. */
async function sendAndWipe(end: End, piece: Buffer, random: Random): Promise<void> {
  // Of the pool, if it is small; or memory of its own.
  const own = random.chance(0.5) ? Buffer.from(piece) : new Uint8Array(piece);
  end.writer.write(own);
  try {
    await end.writer.flush(randomOptions(random));
    own.fill(0xff);
    countCruelty(end, "wiped after flush()");
  } catch (error) {
    if (!isGivenUp(error)) throw error;
    end.ledger.count("given up: flush");
  }
}

/** The bytes arrive as they were, or the connection fails with an error that has a code. */
async function sendAndGiveAway(end: End, piece: Buffer, random: Random): Promise<void> {
  const isShrunk = random.chance(0.3);
  const memory = isShrunk ? resizable(piece.length) : new ArrayBuffer(piece.length);
  const own = new Uint8Array(memory);
  own.set(piece);
  end.writer.write(own);
  // Mostly in the turn of the write, before anything is sent.
  if (random.chance(0.3)) await pause(random, 1);
  noteGift(end);
  if (isShrunk) (memory as ResizableArrayBuffer).resize(random.chance(0.5) ? 0 : piece.length >> 1);
  else structuredClone(own, { transfer: [memory] });
  countCruelty(end, isShrunk ? "shrunk after write()" : "given away after write()");
}

/** Of ES2024; every runtime has it. */
interface ResizableArrayBuffer extends ArrayBuffer {
  resize(length: number): void;
}

function resizable(length: number): ResizableArrayBuffer {
  const Constructor = ArrayBuffer as unknown as new (length: number, options: { readonly maxByteLength: number }) => ResizableArrayBuffer;
  return new Constructor(length, { maxByteLength: length });
}
