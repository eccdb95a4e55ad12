/** `toWritable()`: a writer as a Writable of `node:stream`. And what the adapters of writers share. */
import { Writable } from "node:stream";
import { invalidType, show } from "../base/arguments.js";
import { StreamWriter } from "../streams/writer.js";
import { type NodeStreamOptions, nodeStreamOptions } from "./readable.js";

/** Node's callback of a step of a stream. */
export type Done = (error?: Error | null) => void;

/** A chunk as `writev()` of a Writable gets it. */
export interface WrittenChunk {
  readonly chunk: Buffer;
}

/** Checks what is to be adapted. */
export function checkWriter(writer: StreamWriter): void {
  if (!(writer instanceof StreamWriter)) throw invalidType("writer", "a StreamWriter", writer);
}

/**
 * Sends chunks, and is done when the system has them. `drain()` would be done earlier; but then whoever writes may use the memory again, and the
 * writer does not copy.
 */
export function sendChunks(writer: StreamWriter, chunks: readonly WrittenChunk[], done: Done): void {
  settle(async () => {
    writer.writelines(chunks.map(({ chunk }) => chunk));
    await writer.flush();
  }, done);
}

/** Tells `done` what came of it. */
export function settle(act: () => Promise<void>, done: Done): void {
  act().then(
    () => done(),
    (error: Error) => done(error),
  );
}

/** Ends the writing side, when all is sent. Over TLS, where a side cannot be ended alone, that is the end of the connection. */
export async function endWriting(writer: StreamWriter): Promise<void> {
  if (!writer.isClosing() && writer.canWriteEof()) {
    await writer.flush();
    writer.writeEof();
    return;
  }
  writer.close();
  await writer.waitClosed();
}

/** An error to abort with; what was thrown may be anything. */
export function abortReason(reason: unknown): Error | undefined {
  if (reason === undefined || reason === null) return undefined;
  return reason instanceof Error ? reason : new Error(`aborted with ${show(reason)}`, { cause: reason });
}

/**
 * A writer as a Writable, for whatever takes one.
 *
 * A chunk is done when the system has taken it, so a slow peer slows whoever writes. `end()` ends the writing side after what was written (over TLS, where that
 * is not possible, it closes the connection); what the peer sends can still be read. Destroying the Writable before its end aborts the connection,
 * with its error; a connection that is lost destroys the Writable.
 *
 * @param writer where to write
 * @param options `highWaterMark`: bytes buffered above the writer's own buffer, default Node's
 * @throws TypeError if `writer` is not a `StreamWriter`
 *
 * @example
 * ```ts
 * await pipeline(createReadStream("dump"), createGzip(), toWritable(writer));
 * ```
 */
export function toWritable(writer: StreamWriter, options?: NodeStreamOptions): Writable {
  checkWriter(writer);
  const writable = new Writable({
    ...nodeStreamOptions(options),
    write(chunk: Buffer, _encoding, done) {
      sendChunks(writer, [{ chunk }], done);
    },
    writev(chunks, done) {
      sendChunks(writer, chunks, done);
    },
    final(done) {
      settle(() => endWriting(writer), done);
    },
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
