/**
 * Adapts a reader to a Readable and a writer to a Writable of `node:stream`. Implements `StreamReader.toReadable()` and
 * `StreamWriter.toWritable()`.
 *
 * `ReadingEnd` and `WritingEnd` are what the adapters use of a reader and a writer. The adapters implement methods of the
 * streams, and so must not import them.
 */

import { Readable, Writable } from "node:stream";
import { checkInteger, type Data } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { asError } from "../base/errors.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";

/** Takes bytes out of a reader for one adapter. Its `Taker` implements it. */
export interface ReadingEnd {
  /** Takes a chunk of up to 64 KiB, as soon as any bytes are available; an empty one at EOF. */
  read(): Promise<NonSharedBuffer>;
  /** Takes bytes into the caller's memory; returns how many, 0 at EOF. */
  readinto(view: Uint8Array): Promise<number>;
  /** The adapter has the result of the last read. Returns false if `release()` has put it back, and then the adapter must drop it. */
  received(): boolean;
  /** Ends reading. Puts back the bytes that the program has not received: `rest`, and behind it the result of a read that is under way. */
  release(rest?: readonly Uint8Array[]): void;
}

/** The part of a `StreamWriter` that the adapters use. */
export interface WritingEnd {
  write(data: Data): void;
  writelines(list: Iterable<Data>): void;
  flush(): Promise<void>;
  canWriteEof(): boolean;
  writeEof(): void;
  isClosing(): boolean;
  close(): void;
  abort(reason?: Error): void;
  waitClosed(): Promise<void>;
}

/* `readableOf()`: adapts a reader to a Readable of `node:stream`. Implements `StreamReader.toReadable()`. */

/** Options of `StreamReader.toReadable()` and `StreamWriter.toWritable()`. */
export interface NodeStreamOptions {
  /** The number of bytes that the stream buffers before it applies backpressure. Default: Node's. */
  readonly highWaterMark?: number | undefined;
}

const NODE_STREAM_OPTIONS: KnownOptions = knownOptions<NodeStreamOptions>({ highWaterMark: true });

/** Checks the options of a call and returns them in Node's form. */
export function nodeStreamOptions(
  call: string,
  options: NodeStreamOptions | undefined,
  known: KnownOptions = NODE_STREAM_OPTIONS,
): { readonly highWaterMark?: number } {
  checkKnownOptions(call, options, known);
  return options?.highWaterMark === undefined ? {} : { highWaterMark: checkInteger("highWaterMark", options.highWaterMark, 0) };
}

/** Reads a chunk into a Readable. If the Readable is destroyed in the meantime, the chunk has been put back into the reader. */
export function readChunk(reader: ReadingEnd, readable: Readable, onPush?: (chunk: NonSharedBuffer) => void): void {
  const onChunk = (chunk: NonSharedBuffer): void => {
    if (!reader.received()) return;
    onPush?.(chunk);
    readable.push(chunk.length === 0 ? null : chunk);
  };
  const onError = (error: Error): void => {
    if (reader.received()) readable.destroy(error);
  };
  reader.read().then(onChunk, onError);
}

/** Makes the Readable. */
export function readableOf(reader: ReadingEnd, options?: NodeStreamOptions): Readable {
  /** The last chunks that were pushed: at least what the Readable still buffers. */
  let pushed: NonSharedBuffer[] = [];
  const undelivered = (readable: Readable): NonSharedBuffer[] => {
    if (readable.readableEncoding !== null) return []; // its buffer is text, counted in characters
    let left = readable.readableLength;
    const chunks: NonSharedBuffer[] = [];
    for (let index = pushed.length - 1; index >= 0 && left > 0; index -= 1) {
      const chunk = pushed[index] as NonSharedBuffer;
      chunks.unshift(chunk.subarray(Math.max(0, chunk.length - left)));
      left -= chunk.length;
    }
    return chunks;
  };
  return new Readable({
    ...nodeStreamOptions("toReadable", options),
    read() {
      readChunk(reader, this, (chunk) => {
        pushed = [...undelivered(this), chunk];
      });
    },
    destroy(error, done) {
      reader.release(undelivered(this));
      done(error);
    },
  });
}

/*
 * `writableOf()`: adapts a writer to a Writable of `node:stream`. Implements `StreamWriter.toWritable()`. Also contains the code that
 * the adapters of writers share.
 */

/** Node's callback of a stream operation. */
type Done = (error?: Error | null) => void;

/** A chunk as passed to `writev()` of a Writable. */
interface WrittenChunk {
  readonly chunk: NonSharedBuffer;
}

/**
 * Sends chunks and calls `done` when the system has accepted them. `drain()` would return earlier; but after `done` the producer may
 * reuse the memory, which the writer does not copy.
 */
function sendChunks(writer: WritingEnd, chunks: readonly WrittenChunk[], done: Done): void {
  settle(async () => {
    writer.writelines(chunks.map(({ chunk }) => chunk));
    await writer.flush();
  }, done);
}

/** Calls `done` with the outcome of `act`. */
function settle(act: () => Promise<void>, done: Done): void {
  act().then(
    () => done(),
    (error: Error) => done(error),
  );
}

/** Ends the writing side after sending everything. Over TLS, which has no half-close, closes the connection. */
export async function endWriting(writer: WritingEnd): Promise<void> {
  if (!writer.isClosing() && writer.canWriteEof()) {
    await writer.flush();
    writer.writeEof();
    return;
  }
  writer.close();
  await writer.waitClosed();
}

/** How a stream of Node writes. The methods do not use `this`. */
export interface WritingMethods {
  write(chunk: NonSharedBuffer, encoding: unknown, done: Done): void;
  writev(chunks: readonly WrittenChunk[], done: Done): void;
  final(done: Done): void;
}

/** Returns the writing methods of a Writable or a Duplex. */
export function writingMethods(writer: WritingEnd): WritingMethods {
  return {
    write(chunk: NonSharedBuffer, _encoding, done) {
      sendChunks(writer, [{ chunk }], done);
    },
    writev(chunks, done) {
      sendChunks(writer, chunks, done);
    },
    final(done) {
      settle(() => endWriting(writer), done);
    },
  };
}

/** Converts any thrown value to an error for `abort()`; `undefined` if there is none. */
export function abortReason(reason: unknown): Error | undefined {
  return reason === undefined || reason === null ? undefined : asError(reason, "the stream was aborted with");
}

/** Makes the Writable. */
export function writableOf(writer: WritingEnd, options?: NodeStreamOptions): Writable {
  const writable = new Writable({
    ...nodeStreamOptions("toWritable", options),
    ...writingMethods(writer),
    destroy(error, done) {
      if (!this.writableFinished) writer.abort(error ?? undefined);
      done(error);
    },
  });
  const onClosed = (): void => {
    if (!writable.writableEnded) writable.destroy();
  };
  writer.waitClosed().then(onClosed, (error: Error) => writable.destroy(error));
  return writable;
}
