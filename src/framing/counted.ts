/** The attempt of frames with a size header, shared by length prefixes and netstrings. */
import type { ByteQueue } from "../base/byte-queue.js";
import { IncompleteReadError } from "../base/errors.js";
import type { Attempt, ReadEngine } from "../streams/read-engine.js";
import { FrameTooLargeError, InvalidFrameError, tooLarge } from "./codec.js";

/** The header of a frame. */
export interface FrameHeader {
  /** The size of the header in bytes. */
  readonly headerSize: number;
  /** The size of the announced body in bytes; rounded if it exceeds the safe integers. */
  readonly bodySize: number;
}

/** Parses the header at the front of the queue. Returns `undefined` if it is incomplete. Throws `InvalidFrameError`. */
export type HeaderParser = (queue: ByteQueue) => FrameHeader | undefined;

/**
 * Takes a frame: header, body, and a required trailer.
 *
 * Each attempt parses the header again. It has only a few bytes, and they may have changed: `unread()` may have put others in front.
 */
export function countedAttempt(
  engine: ReadEngine,
  parseHeader: HeaderParser,
  maximum: number,
  trailer: Uint8Array,
): Attempt<Buffer | null> {
  const { queue } = engine;
  const run = (): Buffer | null | undefined => {
    if (queue.length === 0) return engine.eof ? null : undefined;
    const header = parseHeader(queue);
    if (header !== undefined && header.bodySize > maximum) {
      throw new FrameTooLargeError(tooLarge("cannot read a frame", header.bodySize, maximum), header.bodySize, maximum);
    }
    const wholeSize = header === undefined ? null : header.headerSize + header.bodySize + trailer.length;
    if (header === undefined || wholeSize === null || queue.length < wholeSize) {
      if (engine.eof) throw new IncompleteReadError(queue.takeAll(), wholeSize);
      return undefined;
    }
    const bodyEnd = header.headerSize + header.bodySize;
    if (trailer.length > 0 && !queue.matches(trailer, bodyEnd)) {
      throw new InvalidFrameError(`the frame at byte ${queue.taken} does not end in "${Buffer.from(trailer).toString()}"`, queue.taken);
    }
    queue.skip(header.headerSize);
    const body = queue.take(header.bodySize);
    if (trailer.length > 0) queue.skip(trailer.length);
    return body;
  };
  return { exclusive: true, run };
}
