/**
 * `writableOf()`: adapts a writer to a Writable of `node:stream`. Implements `StreamWriter.toWritable()`. Also contains the code that
 * the adapters of writers share.
 */
import { Writable, type WritableOptions } from "node:stream";
import { asError } from "../base/thrown.js";
import type { WritingEnd } from "./ends.js";
import { type NodeStreamOptions, nodeStreamOptions } from "./readable.js";

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
