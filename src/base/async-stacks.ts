/**
 * The async functions of the program in the stack of an error that was made elsewhere: what makes it possible to find the read that failed.
 *
 * V8 finds the functions that wait when a stack is captured inside a promise reaction: it goes from the promise that the reaction settles to whoever awaits that, and on. Where a
 * wait ends (a feed, a timer, the loss of a connection) there is no such reaction. So the promise is resolved with another one, whose reaction takes the stack when both are linked
 * and appends it to the error, as Python appends to a traceback. Only calls that fail after a wait pay for it. Other engines append nothing.
 */
import { isError } from "./arguments.js";

/** So many characters of a stack are enough: an error that ends a connection may be that of many waits. */
const MAX_STACK_CHARACTERS = 8192;

const ASYNC_FRAME = /^\s+at async /;

const fulfilled: Promise<void> = Promise.resolve();

/** A promise that rejects with `error`. Give it to `resolve()` of the promise that the program waits for, at once: the error names who waits. */
export function rejectionNamingCallers(error: unknown): Promise<never> {
  const throwIt = (): never => {
    nameCallers(error);
    throw error;
  };
  return fulfilled.then(afterTheLink).then(throwIt);
}

/** Lets the job run which links two promises: it is queued behind this one. */
function afterTheLink(): void {}

/** Appends the async functions that wait for the reaction at hand to the stack of an error, unless it names them. */
export function nameCallers(error: unknown): void {
  if (!isError(error)) return;
  try {
    const here: { readonly stack?: string } = {};
    Error.captureStackTrace(here, nameCallers);
    const callers = String(here.stack)
      .split("\n")
      .filter((line) => ASYNC_FRAME.test(line))
      .join("\n");
    const { stack } = error;
    if (callers === "" || stack === undefined || stack.length > MAX_STACK_CHARACTERS || stack.includes(callers)) return;
    error.stack = `${stack}\n${callers}`;
  } catch {
    // a frozen error, or a program that formats stacks in a way of its own
  }
}
