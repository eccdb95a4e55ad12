/** `iterate()`: the iterators of `lines()` and `chunks()`. See `line-readings.ts` for the reader's own iterator, which has no options. */
import type { SignalOptions } from "../base/arguments.js";
import { NEWLINE_BYTE } from "../base/memory.js";
import type { Attempt, ReadEngine } from "./read-engine.js";

const CARRIAGE_RETURN = 0x0d;

/** Iterates over the results of attempts, each of them new. An empty result ends the iteration. */
export function iterate<T>(
  engine: ReadEngine,
  makeAttempt: () => Attempt<Buffer>,
  options: SignalOptions,
  convert: (bytes: Buffer) => T,
): AsyncIterableIterator<T, undefined> {
  return {
    next: () => {
      const attempt = makeAttempt();
      const step = (): IteratorResult<T, undefined> | undefined => {
        const bytes = attempt();
        if (bytes === undefined) return undefined;
        return bytes.length === 0 ? { done: true, value: undefined } : { done: false, value: convert(bytes) };
      };
      return engine.perform("next", step, options);
    },
    return: () => leave(engine),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Ends an iteration early. No data is lost, and a source is paused until the next read waits. */
export function leave(engine: ReadEngine): Promise<IteratorResult<never, undefined>> {
  engine.rest();
  return Promise.resolve({ done: true, value: undefined });
}

/** Removes `"\n"` or `"\r\n"` from the end of a line. */
export function withoutNewline(line: Buffer): Buffer {
  if (line[line.length - 1] !== NEWLINE_BYTE) return line;
  return line.subarray(0, line[line.length - 2] === CARRIAGE_RETURN ? -2 : -1);
}
