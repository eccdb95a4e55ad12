/**
 * The standard streams of this process, and other pipes, as a `StreamReader` and a `StreamWriter`: `stdio()`, `connectReadPipe()` and
 * `connectWritePipe()`.
 *
 * The standard streams belong to the whole program, so they stay open when the reader is cancelled or the writer is closed: the reader
 * pauses standard input, and the writer does nothing to standard output. Afterwards, neither keeps the process alive.
 */

import { Writable } from "node:stream";
import type { Data } from "../base/arguments.js";
import type { NonSharedUint8Array } from "../base/bytes.js";
import { checkKnownOptions } from "../base/known-options.js";
import { READER_OPTIONS, type StreamReaderOptions } from "../streams/base-reader.js";
import { StreamReader } from "../streams/reader.js";
import { StreamWriter } from "../streams/writer.js";

/**
 * Returns the standard input and output of this process as a pair, as `openConnection()` returns a connection.
 *
 * Call `reader.cancel()` and `writer.close()` at the end: then the pair does not keep the process alive. `process.stdin` is paused, and
 * `process.stdout` stays open for the rest of the program. What the reader has received and the program has not read can still be read
 * from the reader, but not from `process.stdin`.
 *
 * @param options `limit`: the longest line in bytes, default 65,536
 * @throws RangeError `ERR_OUT_OF_RANGE` if `limit` is not a positive integer
 *
 * @example
 * ```ts
 * const [reader, writer] = stdio();
 * for await (const line of reader) {
 *   writer.write(`you said ${line}`);
 *   await writer.drain();
 * }
 * ```
 */
export function stdio(options?: StreamReaderOptions): [StreamReader, StreamWriter] {
  checkKnownOptions("stdio", options, READER_OPTIONS);
  return [connectReadPipe(process.stdin, options), connectWritePipe(process.stdout)];
}

/**
 * Returns a reader of a pipe, such as `process.stdin`. Python's `loop.connect_read_pipe()` with a `StreamReaderProtocol`.
 *
 * `cancel()` pauses `process.stdin`, and destroys any other Readable.
 *
 * @param pipe `process.stdin`, any Readable of Node, a `ReadableStream` or another async iterable
 * @param options `limit`: the longest line in bytes, default 65,536
 * @throws TypeError if `pipe` is not async iterable
 * @throws RangeError `ERR_OUT_OF_RANGE` if `limit` is not a positive integer
 *
 * @example
 * ```ts
 * await using reader = connectReadPipe(process.stdin);
 * const name = String(await reader.readline()).trimEnd();
 * ```
 */
export function connectReadPipe(pipe: AsyncIterable<Data>, options?: StreamReaderOptions): StreamReader {
  checkKnownOptions("connectReadPipe", options, READER_OPTIONS);
  return StreamReader.from(pipe, options);
}

/**
 * Returns a writer to a pipe, such as `process.stdout`. Python's `loop.connect_write_pipe()`.
 *
 * `close()` and `writeEof()` end the pipe after the written data. `process.stdout` and `process.stderr` stay open, because other code
 * writes to them, too. If the reader at the other end has gone, `drain()` rejects with `ConnectionLostError`, and `waitClosed()` with
 * `EPIPE`.
 *
 * @param pipe `process.stdout`, `process.stderr`, any Writable of Node or a `WritableStream`
 * @throws TypeError if `pipe` is neither, or is a locked `WritableStream`
 *
 * @example
 * ```ts
 * const writer = connectWritePipe(process.stdout);
 * writer.write("a long report\n");
 * await writer.drain();
 * ```
 */
export function connectWritePipe(pipe: Writable | WritableStream<NonSharedUint8Array>): StreamWriter {
  return StreamWriter.from(pipe === process.stdout || pipe === process.stderr ? borrowed(pipe) : pipe);
}

/** The Writables that write to one pipe. They share a listener, because Node warns about the eleventh. */
interface Lending {
  readonly lenders: Set<Writable>;
  readonly onError: (error: Error) => void;
}

const lendings = new WeakMap<Writable, Lending>();

/** A Writable that writes to another one and never ends it. */
function borrowed(pipe: Writable): Writable {
  const { lenders, onError } = lendings.get(pipe) ?? beginLending(pipe);
  const lender = new Writable({
    write: (chunk: Buffer, _encoding, done) => void pipe.write(chunk, done),
    destroy(error, done) {
      if (error === null) lenders.delete(lender); // else the pipe emits the same error later
      if (lenders.size === 0) {
        pipe.removeListener("error", onError);
        lendings.delete(pipe);
      }
      done(error);
    },
  });
  lenders.add(lender);
  return lender;
}

function beginLending(pipe: Writable): Lending {
  const lenders = new Set<Writable>();
  const onError = (error: Error): void => {
    for (const lender of lenders) lender.destroy(error);
  };
  pipe.on("error", onError);
  const lending = { lenders, onError };
  lendings.set(pipe, lending);
  return lending;
}
