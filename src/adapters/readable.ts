/** `toReadable()`: a reader as a Readable of `node:stream`. */
import { Readable } from "node:stream";
import { checkInteger, checkOptions, invalidType } from "../base/arguments.js";
import { StreamReader } from "../streams/reader.js";

/** How much is read in one step, in bytes: what a socket delivers at most. */
export const CHUNK_BYTES = 65_536;

/** Options of `toReadable()` and `toWritable()`. */
export interface NodeStreamOptions {
  /** Bytes that the stream buffers before it slows the other side. Default: Node's own. */
  readonly highWaterMark?: number | undefined;
}

/** The options, checked, in the form that Node takes. */
export function nodeStreamOptions(options: NodeStreamOptions | undefined): { readonly highWaterMark?: number } {
  checkOptions("options", options);
  return options?.highWaterMark === undefined ? {} : { highWaterMark: checkInteger("highWaterMark", options.highWaterMark, 0) };
}

/** Checks what is to be adapted. */
export function checkReader(reader: StreamReader): void {
  if (!(reader instanceof StreamReader)) throw invalidType("reader", "a StreamReader", reader);
}

/**
 * Reads a chunk into a Readable. What was taken from the reader when the Readable was destroyed meanwhile goes back.
 *
 * @param stop aborted when the Readable is destroyed
 */
export function readChunk(reader: StreamReader, readable: Readable, stop: AbortSignal): void {
  const onChunk = (chunk: Buffer): void => {
    if (stop.aborted) reader.unread(chunk);
    else readable.push(chunk.length === 0 ? null : chunk);
  };
  const onError = (error: Error): void => {
    if (!stop.aborted) readable.destroy(error);
  };
  reader.read(CHUNK_BYTES, { signal: stop }).then(onChunk, onError);
}

/**
 * A reader as a Readable, for whatever takes one: `pipeline()`, `readline`, a parser.
 *
 * It reads when it is read, up to its high-water mark ahead; the peer is slowed as by the reader itself. An error of the reader destroys it, after the data that
 * came before. Destroying it ends its reading and nothing else: the connection stays, and so does what it has not read. Give the reader to nobody
 * else meanwhile.
 *
 * @param reader where to read
 * @param options `highWaterMark`: bytes read ahead, default Node's
 * @throws TypeError if `reader` is not a `StreamReader`
 *
 * @example
 * ```ts
 * await pipeline(toReadable(reader), createGunzip(), createWriteStream("dump"));
 * ```
 */
export function toReadable(reader: StreamReader, options?: NodeStreamOptions): Readable {
  checkReader(reader);
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
