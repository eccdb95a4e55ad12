/** Waiting for the end of a stream of Node, and its errors. */
import type { Readable, Writable } from "node:stream";
import { turns } from "../support/turns.js";

/** Waits for `'close'`; gives the `'error'` that came before it, or `null`. */
export async function closed(stream: Readable | Writable): Promise<Error | null> {
  let error: Error | null = null;
  stream.on("error", (one: Error) => {
    error ??= one;
  });
  // A stream that calls itself closed may emit its events in the next tick.
  if (stream.closed) await turns(2);
  else await new Promise((resolve) => stream.once("close", resolve));
  return error;
}

/** All bytes of an iterable, as text. */
export async function gather(iterable: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of iterable) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
