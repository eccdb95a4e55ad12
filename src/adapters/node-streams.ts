/**
 * Adapts a reader to a Readable and a writer to a Writable of `node:stream`. Implements `StreamReader.toReadable()` and
 * `StreamWriter.toWritable()`.
 *
 * `ReadingEnd` and `WritingEnd` are the parts of a reader and a writer that the adapters use. The adapters implement methods of the
 * streams, and so must not import them.
 */
import { Readable, Writable, type WritableOptions } from "node:stream";
import { checkInteger, checkOptions, type Data, type SignalOptions } from "../base/arguments.js";
import { asError } from "../base/errors.js";
import { CHUNK_BYTES } from "../base/limits.js";

/** The part of a `StreamReader` that the adapters use. */
export interface ReadingEnd {
  read(n: number, options?: SignalOptions): Promise<Buffer>;
  readinto(view: Uint8Array, options?: SignalOptions): Promise<number>;
  unread(data: Data): void;
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

/*
 * `writableOf()`: adapts a writer to a Writable of `node:stream`. Implements `StreamWriter.toWritable()`. Also contains the code that
 * the adapters of writers share.
 */

/** Node's callback of a stream operation. */
type Done = (error?: Error | null) => void;

/** A chunk as passed to `writev()` of a Writable. */
interface WrittenChunk {
  readonly chunk: Buffer;
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

/** Returns the writing methods of a Writable or a Duplex. */
export function writingMethods(writer: WritingEnd): Required<Pick<WritableOptions, "write" | "writev" | "final">> {
  return {
    write(chunk: Buffer, _encoding, done) {
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
    ...nodeStreamOptions(options),
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
