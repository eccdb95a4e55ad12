/** `readableOf()`: a reader as a Readable of `node:stream`. What `StreamReader.toReadable()` is made of. */
import { Readable } from "node:stream";
import { checkInteger, checkOptions } from "../base/arguments.js";
import type { ReadingEnd } from "./ends.js";

/** How much is read in one step, in bytes: what a socket delivers at most. */
export const CHUNK_BYTES = 65_536;

/** Options of `StreamReader.toReadable()` and `StreamWriter.toWritable()`. */
export interface NodeStreamOptions {
  /** Bytes that the stream buffers before it slows the other side. Default: Node's own. */
  readonly highWaterMark?: number | undefined;
}

/** The options, checked, in the form that Node takes. */
export function nodeStreamOptions(options: NodeStreamOptions | undefined): { readonly highWaterMark?: number } {
  checkOptions("options", options);
  return options?.highWaterMark === undefined ? {} : { highWaterMark: checkInteger("highWaterMark", options.highWaterMark, 0) };
}

/**
 * Reads a chunk into a Readable. What was taken from the reader when the Readable was destroyed meanwhile goes back.
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
