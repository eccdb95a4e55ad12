/** The attempts of `readuntil()` and `readline()`: messages that end in a separator. Python's functions of the same names. */
import { IncompleteReadError, LimitOverrunError, LineTooLongError } from "../base/errors.js";
import { NEWLINE } from "../base/memory.js";
import { SeparatorSearch } from "../base/separator-search.js";
import type { Attempt, ReadEngine } from "./read-engine.js";

/** The limit of a message and the form of the result. */
export interface MessageTraits {
  /** The maximum length of a message without its separator, in bytes. */
  readonly limit: number;
  /** Whether the result includes the separator, as in Python. */
  readonly keepSeparator: boolean;
  /** Whether the rest of the data at EOF, even if empty, counts as a message. Otherwise it is an error. */
  readonly partialAtEof?: boolean;
}

/** Takes a message up to and including its separator. The order of the checks is CPython's and determines the numbers in the errors. */
export function messageAttempt(
  engine: ReadEngine,
  separators: readonly Uint8Array[],
  { limit, keepSeparator, partialAtEof }: MessageTraits,
): Attempt<Buffer> {
  const search = new SeparatorSearch(separators);
  const { queue } = engine;
  return () => {
    const match = search.find(queue);
    if (match) {
      if (match.start > limit) {
        throw new LimitOverrunError(`the separator comes after ${match.start} bytes: the limit is ${limit}`, match.start);
      }
      if (keepSeparator) return queue.take(match.end);
      // Of the separators that end here, the longest is removed: "\r\n" is one separator, not a "\n" after a "\r".
      const cut = separators.findLast((one) => one.length <= match.end && queue.matches(one, match.end - one.length)) as Uint8Array;
      const message = queue.take(match.end - cut.length);
      queue.skip(cut.length);
      return message;
    }
    if (match === null && search.offset > limit) {
      throw new LimitOverrunError(`no separator in the first ${search.offset} bytes: the limit is ${limit}`, search.offset);
    }
    if (!engine.eof) return undefined;
    const partial = queue.takeAll();
    if (partialAtEof === true) return partial;
    throw new IncompleteReadError(partial, null);
  };
}

/** Takes a line including its newline; at EOF the rest of the data. A line over the limit is dropped. */
export function lineAttempt(engine: ReadEngine, traits: MessageTraits): Attempt<Buffer> {
  const takeMessage = messageAttempt(engine, [NEWLINE], { ...traits, partialAtEof: true });
  return () => {
    try {
      return takeMessage();
    } catch (error) {
      throw error instanceof LimitOverrunError ? dropLine(engine, error, traits.limit) : error;
    }
  };
}

function dropLine({ queue }: ReadEngine, overrun: LimitOverrunError, limit: number): LineTooLongError {
  const whole = queue.matches(NEWLINE, overrun.consumed);
  const dropped = whole ? overrun.consumed + 1 : queue.length;
  queue.skip(dropped);
  const what = whole ? `the whole line, ${dropped} bytes` : `${dropped} bytes received so far`;
  return new LineTooLongError(`line exceeds the limit of ${limit} bytes (dropped ${what})`, dropped);
}
