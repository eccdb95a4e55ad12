/** `iterate()`: the iterations of `lines()` and `chunks()`. That of the reader itself, which has no options, is in `line-readings.ts`. */
import type { SignalOptions } from "../base/arguments.js";
import { NEWLINE_BYTE } from "../base/memory.js";
import type { Attempt, Incoming } from "./incoming.js";

const CARRIAGE_RETURN = 0x0d;

/** Iterates over what attempts give, each made anew; an attempt that gives no byte is the end. */
export function iterate<T>(
  incoming: Incoming,
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
      return incoming.perform("next", step, options);
    },
    return: () => leave(incoming),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The step that ends an iteration early: nothing is lost, and a source rests until the next read. */
export function leave(incoming: Incoming): Promise<IteratorResult<never, undefined>> {
  incoming.rest();
  return Promise.resolve({ done: true, value: undefined });
}

/** Without `"\n"` or `"\r\n"` at its end. */
export function withoutNewline(line: Buffer): Buffer {
  if (line[line.length - 1] !== NEWLINE_BYTE) return line;
  return line.subarray(0, line[line.length - 2] === CARRIAGE_RETURN ? -2 : -1);
}
