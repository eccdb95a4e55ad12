/**
 * `Taker`: takes bytes out of a reader for an adapter (`toReadable()`, `toWeb()`, `toDuplex()`) or for `chunks()`, in pieces of any length.
 *
 * A piece may hold more than the message that the program handles. If the program then calls `startTls()`, the rest of the piece is
 * plaintext, but the adapter or the program's parser would deliver it as if it were secured. So the reader counts its takers (see
 * `securing.ts`), and refuses `startTls()` until the adapter is destroyed or cancelled, or the loop over the chunks is left.
 */

import type { ReadingEnd } from "../adapters/node-streams.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { debugMode } from "../base/debug-mode.js";
import { CHUNK_BYTES } from "../base/limits.js";
import { ownCopy } from "../base/memory.js";
import { chunkBatchStep, intoAttempt, ReadIterator, someAttempt } from "./attempts.js";
import type { Attempt, ReadEngine } from "./read-engine.js";

export class Taker implements ReadingEnd {
  readonly #engine: ReadEngine;
  readonly #method: string;
  readonly #stop: AbortController = new AbortController();
  #hasTaken = false;
  /** The result of the last read, until the adapter has received it. */
  #underWay: Uint8Array | null = null;

  /** @param method the public call that takes the bytes, for the error of `startTls()` */
  constructor(engine: ReadEngine, method: string) {
    this.#engine = engine;
    this.#method = method;
    debugMode?.hold(this, engine);
  }

  read(): Promise<NonSharedBuffer> {
    return this.#perform("read", someAttempt(this.#engine, CHUNK_BYTES), (chunk) => chunk);
  }

  readinto(view: Uint8Array): Promise<number> {
    return this.#perform("readinto", intoAttempt(this.#engine, view), (count) => view.subarray(0, count));
  }

  #perform<T>(method: string, attempt: Attempt<T>, bytesOf: (result: T) => Uint8Array): Promise<T> {
    const run = (): T | undefined => {
      const result = attempt.run();
      if (result === undefined) return undefined;
      this.#underWay = bytesOf(result);
      if (this.#underWay.length > 0) this.took();
      return result;
    };
    return this.#engine.perform(method, { run }, { signal: this.#stop.signal });
  }

  received(): boolean {
    this.#underWay = null;
    return !this.#stop.signal.aborted;
  }

  release(rest: readonly Uint8Array[] = []): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(); // a read that waits takes nothing
    const undelivered = ownCopy(Buffer.concat(this.#underWay === null ? rest : [...rest, this.#underWay]));
    // Dropped if the handshake of `startTls()` has begun, because these bytes were not secured.
    if (!this.#engine.securing.isHandedOver) this.#engine.unread(undelivered);
    this.left();
  }

  /** Called when bytes have left the reader. */
  took(): void {
    if (this.#hasTaken) return;
    this.#hasTaken = true;
    this.#engine.securing.noteTaker(this.#method, 1);
  }

  /** Called when the adapter has ended, or the program has left the loop. */
  left(): void {
    if (!this.#hasTaken) return;
    this.#hasTaken = false;
    this.#engine.securing.noteTaker(this.#method, -1);
  }
}

/** Iterates over arrays of chunks, as `node:stream/iter` reads a source. */
export function chunkBatches(engine: ReadEngine): AsyncIterable<NonSharedBuffer[]> {
  return new ReadIterator(engine, chunkBatchStep(engine, CHUNK_BYTES), {}, new Taker(engine, "chunks"));
}
