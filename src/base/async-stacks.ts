/**
 * Adds the program's async functions to the stack of an error that was created elsewhere, so that the stack shows which read failed.
 *
 * V8 finds the waiting functions when a stack is captured inside a promise reaction: it follows the promise that the reaction settles to
 * the function that awaits it, and so on. A wait that is ended by fed data, a timer or the loss of a connection has no such reaction. So
 * the promise is resolved with a second promise. The reaction of the second one captures the stack once both are linked, and appends it to
 * the error, as Python appends to a traceback. Only calls that fail after a wait pay for it. Other engines append nothing.
 */
import { isError } from "./arguments.js";

/** Nothing is appended to a stack longer than this, in characters: an error that ends a connection may reject many waits. */
const MAX_STACK_CHARACTERS = 8192;

const ASYNC_FRAME = /^\s+at async /;

const fulfilled: Promise<void> = Promise.resolve();

/**
 * Returns a promise that rejects with `error`. Pass it immediately to `resolve()` of the promise that the program awaits: the error's stack
 * then names the waiting functions.
 */
export function rejectionNamingCallers(error: unknown): Promise<never> {
  const throwIt = (): never => {
    nameCallers(error);
    throw error;
  };
  return fulfilled.then(afterTheLink).then(throwIt);
}

/** Delays the rejection by one job. The job that links the two promises is queued behind this one and runs first. */
function afterTheLink(): void {}

/** Appends the async functions that wait for the current reaction to the stack of an error, unless the stack already names them. */
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
    // a frozen error, or a program that formats stacks in its own way
  }
}
