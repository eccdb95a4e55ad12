/** Adapts a reader and a writer to web streams. Implements `StreamReader.toWeb()` and `StreamWriter.toWeb()`. */

import type { Data } from "../base/arguments.js";
import type { NonSharedUint8Array } from "../base/bytes.js";
import { ConnectionLostError } from "../base/errors.js";
import { HIGH_WATER_BYTES } from "../base/limits.js";
import type { ReadingEnd, WritingEnd } from "./node-streams.js";
import { abortReason, endWriting } from "./node-streams.js";

/** Makes a `ReadableStream` of bytes. */
export function readableStreamOf(reader: ReadingEnd): ReadableStream<NonSharedUint8Array> {
  const source = new ByteSource(reader);
  const stream = new ReadableStream({
    type: "bytes",
    pull: (controller) =>
      source.pull(controller).catch((error: unknown) => {
        source.release(); // the stream has failed
        throw error;
      }),
    cancel() {
      source.release();
    },
  });
  return stream as ReadableStream<NonSharedUint8Array>;
}

class ByteSource {
  readonly #reader: ReadingEnd;
  /** What lies in the memory of a "byob" read that waits for more: the rest of an element, or of its `min`. Copies. */
  #partial: Uint8Array[] = [];

  constructor(reader: ReadingEnd) {
    this.#reader = reader;
  }

  release(): void {
    this.#reader.release(this.#partial);
  }

  async pull(controller: ReadableByteStreamController): Promise<void> {
    const reader = this.#reader;
    const request = controller.byobRequest;
    const view = request?.view ?? null;
    if (request === null || view === null) {
      const chunk = await reader.read();
      if (!reader.received()) return;
      if (chunk.length === 0) controller.close();
      else controller.enqueue(new Uint8Array(chunk)); // a copy: the stream transfers its memory, and a chunk shares memory with others
      return;
    }
    const { byteOffset, byteLength } = view;
    const count = await reader.readinto(new Uint8Array(view.buffer, byteOffset, byteLength));
    if (!reader.received()) return;
    if (count === 0) controller.close();
    request.respond(count);
    // If the read needs more, the stream asks for the rest of the same memory. It has transferred it, so only the position shows that.
    const next = controller.byobRequest?.view ?? null;
    if (next === null || next.byteOffset !== byteOffset + count || next.byteLength !== byteLength - count) this.#partial = [];
    else this.#partial.push(new Uint8Array(next.buffer, byteOffset, count).slice());
  }
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
