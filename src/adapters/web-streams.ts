/** `toReadableStream()` and `toWritableStream()`: reader and writer as the streams of the web platform. */
import type { Data } from "../base/arguments.js";
import type { StreamReader } from "../streams/reader.js";
import type { StreamWriter } from "../streams/writer.js";
import { CHUNK_BYTES, checkReader } from "./readable.js";
import { abortReason, checkWriter, endWriting } from "./writable.js";

/** What a WritableStream holds before it slows whoever writes, in bytes: as much as the writer's own buffer. */
const HIGH_WATER_BYTES = 65_536;

/**
 * A reader as a `ReadableStream` of bytes, for `Response`, `pipeThrough()` and the like.
 *
 * It reads nothing ahead: what is not asked for stays in the reader. A reader of mode `"byob"` gets the bytes in memory of its own; the chunks of others are copies.
 * An error of the reader is the stream's, after the data that came before. Cancelling it ends its reading and nothing else: the connection stays.
 *
 * @param reader where to read
 * @throws TypeError if `reader` is not a `StreamReader`
 *
 * @example
 * ```ts
 * const text = await new Response(toReadableStream(reader)).text();
 * ```
 */
export function toReadableStream(reader: StreamReader): ReadableStream<Uint8Array> {
  checkReader(reader);
  const stop = new AbortController();
  const { signal } = stop;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view ?? null;
      if (request === null || view === null) {
        const chunk = await reader.read(CHUNK_BYTES, { signal });
        if (signal.aborted) reader.unread(chunk);
        else if (chunk.length === 0) controller.close();
        else controller.enqueue(new Uint8Array(chunk)); // a copy: the stream gives its memory away, and a chunk shares it with others
        return;
      }
      const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      const count = await reader.readinto(bytes, { signal });
      if (signal.aborted) {
        reader.unread(bytes.slice(0, count));
        return;
      }
      if (count === 0) controller.close();
      request.respond(count);
    },
    cancel() {
      stop.abort();
    },
  });
}

/**
 * A writer as a `WritableStream`, which takes bytes and text.
 *
 * A chunk is done when the system has taken it, so a slow peer slows whoever writes. Closing the stream ends the writing side (over TLS, where that is not
 * possible, the connection); what the peer sends can still be read. Aborting it, or writing something that is neither bytes nor text, aborts the connection. A
 * connection that is lost is an error of the stream.
 *
 * @param writer where to write
 * @throws TypeError if `writer` is not a `StreamWriter`
 *
 * @example
 * ```ts
 * const response = await fetch("https://example.com/");
 * await response.body?.pipeTo(toWritableStream(writer));
 * ```
 */
export function toWritableStream(writer: StreamWriter): WritableStream<Data> {
  checkWriter(writer);
  let ending = false;
  const fail = (error: unknown): void => writer.abort(abortReason(error));
  return new WritableStream<Data>(
    {
      start(controller: WritableStreamDefaultController & { readonly signal?: AbortSignal }) {
        // The stream tells its sink of an abort when the write at hand is done, and that may wait for the peer for ever.
        const { signal } = controller;
        signal?.addEventListener("abort", () => fail(signal.reason), { once: true });
        const onClosed = (): void => {
          if (!ending) controller.error(new TypeError("the connection was closed before the stream"));
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
