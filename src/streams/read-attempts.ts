/** The attempts of the calls that read by byte count: `read()`, `readexactly()`, and those that asyncio lacks. */
import { IncompleteReadError } from "../base/errors.js";
import type { Attempt, ReadEngine } from "./read-engine.js";

/** Takes nothing and succeeds at once. */
export const takeNothing: Attempt<Buffer> = () => Buffer.alloc(0);

/** Takes everything, once the stream has ended. */
export function restAttempt(engine: ReadEngine): Attempt<Buffer> {
  return () => (engine.eof ? engine.queue.takeAll() : undefined);
}

/** Takes up to `n` bytes, as soon as any are available; none at EOF. */
export function someAttempt(engine: ReadEngine, n: number): Attempt<Buffer> {
  const { queue } = engine;
  return () => (queue.length > 0 || engine.eof ? queue.take(Math.min(n, queue.length)) : undefined);
}

/** Takes exactly `n` bytes. At EOF it takes the rest and fails. */
export function exactAttempt(engine: ReadEngine, n: number): Attempt<Buffer> {
  const { queue } = engine;
  return () => {
    if (queue.length >= n) return queue.take(n);
    if (engine.eof) throw new IncompleteReadError(queue.takeAll(), n);
    return undefined;
  };
}

/** Copies `n` bytes without taking them; fewer at EOF. */
export function peekAttempt(engine: ReadEngine, n: number): Attempt<Buffer> {
  const { queue } = engine;
  return () => {
    if (queue.length < n && !engine.eof) return undefined;
    return queue.length === 0 ? Buffer.alloc(0) : queue.copy(0, Math.min(n, queue.length));
  };
}

/** Copies bytes into the caller's memory and takes them, as soon as any are available; none at EOF. */
export function intoAttempt(engine: ReadEngine, view: Uint8Array): Attempt<number> {
  const { queue } = engine;
  return () => {
    if (queue.length === 0) return engine.eof ? 0 : undefined;
    const count = Math.min(view.length, queue.length);
    queue.copyTo(view, count);
    queue.skip(count);
    return count;
  };
}

/** Drops bytes as they arrive, until `n` are dropped or the stream has ended. */
export function skipAttempt(engine: ReadEngine, n: number): Attempt<number> {
  const { queue } = engine;
  let dropped = 0;
  return () => {
    const count = Math.min(n - dropped, queue.length);
    if (count > 0) queue.skip(count);
    dropped += count;
    return dropped === n || engine.eof ? dropped : undefined;
  };
}
