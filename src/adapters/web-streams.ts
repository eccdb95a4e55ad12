/** Adapts a reader and a writer to web streams. Implements `StreamReader.toWeb()` and `StreamWriter.toWeb()`. */

import type { Data } from "../base/arguments.js";
import type { NonSharedUint8Array } from "../base/bytes.js";
import { ConnectionLostError } from "../base/errors.js";
import { HIGH_WATER_BYTES } from "../base/limits.js";
import type { ReadingEnd, WritingEnd } from "./node-streams.js";
import { abortReason, endWriting } from "./node-streams.js";

/** Makes a `ReadableStream` of bytes. */
export function readableStreamOf(reader: ReadingEnd): ReadableStream<NonSharedUint8Array> {
  const stream = new ReadableStream({
    type: "bytes",
    pull: (controller) =>
      pull(reader, controller).catch((error: unknown) => {
        reader.release(); // the stream has failed
        throw error;
      }),
    cancel() {
      reader.release();
    },
  });
  return stream as ReadableStream<NonSharedUint8Array>;
}

async function pull(reader: ReadingEnd, controller: ReadableByteStreamController): Promise<void> {
  const request = controller.byobRequest;
  const view = request?.view ?? null;
  if (request === null || view === null) {
    const chunk = await reader.read();
    if (!reader.received()) return;
    if (chunk.length === 0) controller.close();
    else controller.enqueue(new Uint8Array(chunk)); // a copy: the stream transfers its memory, and a chunk shares memory with others
    return;
  }
  const count = await reader.readinto(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  if (!reader.received()) return;
  if (count === 0) controller.close();
  request.respond(count);
}

/** Makes the `WritableStream`. */
export function writableStreamOf(writer: WritingEnd): WritableStream<Data> {
  let ending = false;
  const fail = (error: unknown): void => writer.abort(abortReason(error));
  return new WritableStream<Data>(
    {
      start(controller: WritableStreamDefaultController & { readonly signal?: AbortSignal }) {
        // The stream calls the sink's `abort()` only after the current write, which may wait for the peer forever.
        const { signal } = controller;
        signal?.addEventListener("abort", () => fail(signal.reason), { once: true });
        const onClosed = (): void => {
          if (!ending) controller.error(new ConnectionLostError("the connection was closed before the stream was closed"));
        };
        writer.waitClosed().then(onClosed, (error: unknown) => controller.error(error));
      },
      async write(chunk) {
        try {
          writer.write(chunk);
          await writer.flush();
        } catch (error) {
          fail(error);
          throw error;
        }
      },
      async close() {
        ending = true;
        await endWriting(writer);
      },
      abort: fail,
    },
    { highWaterMark: HIGH_WATER_BYTES, size: (chunk) => chunk?.length ?? 1 },
  );
}
