/** `readableOf()`: adapts a reader to a Readable of `node:stream`. Implements `StreamReader.toReadable()`. */
import { Readable } from "node:stream";
import { checkInteger, checkOptions } from "../base/arguments.js";
import type { ReadingEnd } from "./ends.js";

/** The maximum size of one read in bytes: the most that a socket delivers at once. */
export const CHUNK_BYTES = 65_536;

/** Options of `StreamReader.toReadable()` and `StreamWriter.toWritable()`. */
export interface NodeStreamOptions {
  /** The number of bytes that the stream buffers before it applies backpressure. Default: Node's. */
  readonly highWaterMark?: number | undefined;
}

/** Checks the options and returns them in Node's form. */
export function nodeStreamOptions(options: NodeStreamOptions | undefined): { readonly highWaterMark?: number } {
  checkOptions("options", options);
  return options?.highWaterMark === undefined ? {} : { highWaterMark: checkInteger("highWaterMark", options.highWaterMark, 0) };
}

/**
 * Reads a chunk into a Readable. If the Readable is destroyed in the meantime, the chunk is put back into the reader.
 *
 * @param stop aborted when the Readable is destroyed
 */
export function readChunk(reader: ReadingEnd, readable: Readable, stop: AbortSignal): void {
  const onChunk = (chunk: Buffer): void => {
    if (stop.aborted) reader.unread(chunk);
    else readable.push(chunk.length === 0 ? null : chunk);
  };
  const onError = (error: Error): void => {
    if (!stop.aborted) readable.destroy(error);
  };
  reader.read(CHUNK_BYTES, { signal: stop }).then(onChunk, onError);
}

/** Makes the Readable. */
export function readableOf(reader: ReadingEnd, options?: NodeStreamOptions): Readable {
  const stop = new AbortController();
  return new Readable({
    ...nodeStreamOptions(options),
    read() {
      readChunk(reader, this, stop.signal);
    },
    destroy(error, done) {
      stop.abort();
      done(error);
    },
  });
}
