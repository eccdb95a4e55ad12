/** `writableOf()`: a writer as a Writable of `node:stream`; `StreamWriter.toWritable()` is made of it. And what the adapters of writers share. */
import { Writable, type WritableOptions } from "node:stream";
import { asError } from "../base/thrown.js";
import type { WritingEnd } from "./ends.js";
import { type NodeStreamOptions, nodeStreamOptions } from "./readable.js";

/** Node's callback of a step of a stream. */
type Done = (error?: Error | null) => void;

/** A chunk as `writev()` of a Writable gets it. */
interface WrittenChunk {
  readonly chunk: Buffer;
}

/**
 * Sends chunks, and is done when the system has them. `drain()` would be done earlier; but then whoever writes may use the memory again, and the
 * writer does not copy.
 */
function sendChunks(writer: WritingEnd, chunks: readonly WrittenChunk[], done: Done): void {
  settle(async () => {
    writer.writelines(chunks.map(({ chunk }) => chunk));
    await writer.flush();
  }, done);
}

/** Tells `done` what came of it. */
function settle(act: () => Promise<void>, done: Done): void {
  act().then(
    () => done(),
    (error: Error) => done(error),
  );
}

/** Ends the writing side, when all is sent. Over TLS, where a side cannot be ended alone, that is the end of the connection. */
export async function endWriting(writer: WritingEnd): Promise<void> {
  if (!writer.isClosing() && writer.canWriteEof()) {
    await writer.flush();
    writer.writeEof();
    return;
  }
  writer.close();
  await writer.waitClosed();
}

/** The methods of a Writable or a Duplex that write. */
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

/** An error to abort with; what was thrown may be anything. */
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
