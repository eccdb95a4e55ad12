/**
 * Every error class of this library: one class for each Python exception that has no counterpart among Node's own errors.
 *
 * Promises: each error has a literal `code` to switch on, the class name in `name` (on the prototype, so that a printed error does not
 * repeat it as a property), and an unchanged `cause`. Errors of the operating system are not defined here: they are passed on exactly as
 * Node created them.
 */

import { asBuffer, isError, show, unshared } from "./arguments.js";
import type { NonSharedBuffer } from "./bytes.js";

/** Sets `name` on the prototype, as the built-in errors do. */
export function nameOnPrototype(errorClass: { readonly prototype: Error }, name: string): void {
  Object.defineProperty(errorClass.prototype, "name", { value: name, configurable: true, writable: true });
}

/**
 * The stream ended before a complete message arrived.
 *
 * Thrown by `readexactly()` and `readuntil()`; Python's `asyncio.IncompleteReadError`. `partial` holds the bytes that did arrive, and the
 * reader's buffer is empty afterwards.
 *
 * @example
 * ```ts
 * try {
 *   header = await reader.readexactly(4);
 * } catch (error) {
 *   if (error instanceof IncompleteReadError && error.partial.length === 0) return; // a clean end between messages
 *   throw error;
 * }
 * ```
 */
export class IncompleteReadError extends Error {
  /** Always `"ERR_INCOMPLETE_READ"`. */
  readonly code = "ERR_INCOMPLETE_READ";
  /** The bytes read before the end of the stream. */
  readonly partial: NonSharedBuffer;
  /** Number of bytes requested; `null` if the call searched for a separator. */
  readonly expected: number | null;

  /**
   * Creates the error.
   *
   * @param partial the bytes read before the end of the stream
   * @param expected number of bytes requested, `null` if unknown
   * @param options `cause`, as for every `Error`
   */
  constructor(partial: Uint8Array, expected: number | null = null, options?: ErrorOptions) {
    const missing = expected === null ? "bytes, before the end of the message" : `of ${expected} expected bytes`;
    super(`the stream ended after ${partial.length} ${missing}`, options);
    this.partial = asBuffer(unshared(partial));
    this.expected = expected;
  }
}
nameOnPrototype(IncompleteReadError, "IncompleteReadError");

/**
 * `readuntil()` found no separator within the reader's limit. Python's `asyncio.LimitOverrunError`.
 *
 * The data stays in the reader: read or skip `consumed` bytes to get past it.
 */
export class LimitOverrunError extends Error {
  /** Always `"ERR_LIMIT_OVERRUN"`. */
  readonly code = "ERR_LIMIT_OVERRUN";
  /** Number of bytes that can be read without cutting into a separator. */
  readonly consumed: number;

  /**
   * Creates the error.
   *
   * @param message what exceeded the limit
   * @param consumed number of bytes that can be skipped
   * @param options `cause`, as for every `Error`
   */
  constructor(message: string, consumed: number, options?: ErrorOptions) {
    super(message, options);
    this.consumed = consumed;
  }
}
nameOnPrototype(LimitOverrunError, "LimitOverrunError");

/**
 * `readline()` found a line longer than the reader's limit and dropped it. Python raises a bare `ValueError`.
 *
 * If the newline was already in the buffer, the line was dropped up to and including it, and the next read starts at the next line.
 * Otherwise, everything in the buffer was dropped. Use `readuntil("\n")` if no data may be dropped.
 */
export class LineTooLongError extends RangeError {
  /** Always `"ERR_LINE_TOO_LONG"`. */
  readonly code = "ERR_LINE_TOO_LONG";
  /** Number of bytes dropped. */
  readonly consumed: number;

  /**
   * Creates the error.
   *
   * @param message what was too long
   * @param consumed number of bytes dropped
   * @param options `cause`, as for every `Error`
   */
  constructor(message: string, consumed: number, options?: ErrorOptions) {
    super(message, options);
    this.consumed = consumed;
  }
}
nameOnPrototype(LineTooLongError, "LineTooLongError");

/**
 * A read was started while another read on the same reader was still waiting for data. Chance would decide which of the two gets the next
 * bytes. Python raises `RuntimeError`.
 */
export class ConcurrentReadError extends Error {
  /** Always `"ERR_CONCURRENT_READ"`. */
  readonly code = "ERR_CONCURRENT_READ";
}
nameOnPrototype(ConcurrentReadError, "ConcurrentReadError");

export function concurrentRead(method: string): ConcurrentReadError {
  return new ConcurrentReadError(`cannot ${method}(): another read on this StreamReader is already waiting for data`);
}

/**
 * The call is not valid in the current state of the object: writing after `writeEof()`, calling `serveForever()` twice, feeding a reader
 * after its EOF. Python raises `RuntimeError` or `AssertionError`.
 */
export class InvalidStateError extends Error {
  /** Always `"ERR_INVALID_STATE"`. */
  readonly code = "ERR_INVALID_STATE";
}
nameOnPrototype(InvalidStateError, "InvalidStateError");

/**
 * The connection is lost, so written data can no longer be sent. Thrown by `drain()`; `cause` is the socket's own error, if there was one.
 * Python raises `ConnectionResetError('Connection lost')`.
 */
export class ConnectionLostError extends Error {
  /** Always `"ECONNRESET"`. */
  readonly code = "ECONNRESET";
}
nameOnPrototype(ConnectionLostError, "ConnectionLostError");

/**
 * Memory was transferred (detached) or shrunk while the library still needed it. It held either written bytes that were not sent yet, or
 * unread bytes that share their memory with a chunk that the program has received. Python has no counterpart, because `bytes` cannot be
 * detached.
 */
export class DetachedMemoryError extends Error {
  /** Always `"ERR_MEMORY_DETACHED"`. */
  readonly code = "ERR_MEMORY_DETACHED";
}
nameOnPrototype(DetachedMemoryError, "DetachedMemoryError");

/** The system has no memory left for the data that a connection received. Python raises `MemoryError`. */
export class ConnectionMemoryError extends Error {
  /** Always `"ENOMEM"`. */
  readonly code = "ENOMEM";
}
nameOnPrototype(ConnectionMemoryError, "ConnectionMemoryError");

/** Returns the message of an error. Never throws, even if the program's error has a `message` getter that does. */
export function messageOf(error: Error): string {
  try {
    const message: unknown = error.message;
    return String(message);
  } catch {
    return "an error whose message cannot be read";
  }
}

/** Creates the error for written data that was lost with its connection. `cause` is the error that ended the connection, if any. */
export function notSentError(cause: Error | null): ConnectionLostError {
  const why = cause === null ? "is closed" : `is lost: ${messageOf(cause)}`;
  return new ConnectionLostError(`cannot send written data: the connection ${why}`, cause === null ? undefined : { cause });
}

/** The base class of `TimeoutError`, without the type of `code`, which is a number there. */
const TimeoutException: new (message: string, name: string) => Omit<DOMException, "code"> = DOMException;

/**
 * A call took longer than its `timeout`. Python's `TimeoutError` of `asyncio.timeout()`. A `DOMException` with the name `"TimeoutError"`,
 * as the reason of `AbortSignal.timeout()` is. Its `code` is its name, so code that handles errors by `code` or `name` finds both.
 *
 * @example
 * ```ts
 * try {
 *   await reader.readline({ timeout: 1_000 });
 * } catch (error) {
 *   if (error instanceof TimeoutError) writer.write("are you still there?\n");
 *   else throw error;
 * }
 * ```
 */
export class TimeoutError extends TimeoutException {
  /** Always `"TimeoutError"`. */
  readonly code = "TimeoutError";

  /** Creates the error. */
  constructor(message: string = "the call took too long") {
    super(message, "TimeoutError");
    // Bun: a DOMException has no stack.
    if (this.stack === undefined) Error.captureStackTrace(this, TimeoutError);
  }
}

/** A TLS handshake or TLS shutdown exceeded its time-out. Python raises `ConnectionAbortedError` or `TimeoutError`. */
export class ConnectionTimeoutError extends Error {
  /** Always `"ETIMEDOUT"`. */
  readonly code = "ETIMEDOUT";
}
nameOnPrototype(ConnectionTimeoutError, "ConnectionTimeoutError");

/**
 * A server that expects the PROXY protocol refused a connection: it did not begin with a valid header, or its sender is not trusted. Passed
 * to the server's error handler. Python has no counterpart.
 */
export class ProxyProtocolError extends Error {
  /** Always `"ERR_PROXY_PROTOCOL"`. */
  readonly code = "ERR_PROXY_PROTOCOL";
}
nameOnPrototype(ProxyProtocolError, "ProxyProtocolError");

/**
 * This system or runtime cannot do what was asked: Windows has no Unix sockets, Cloudflare Workers no servers, and `asyncio-streams/unix`
 * needs Linux and a foreign function interface. The message says what to use instead, or what to install or to allow.
 */
export class UnsupportedError extends Error {
  /** Always `"ERR_UNSUPPORTED"`. */
  readonly code = "ERR_UNSUPPORTED";

  /**
   * Creates the error.
   *
   * @param message what is not supported, and what to do
   * @param options `cause`, as for every `Error`
   */
  // oxlint-disable-next-line no-useless-constructor -- documents the parameters
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
nameOnPrototype(UnsupportedError, "UnsupportedError");

/* Handles a value that the program's code has thrown, which need not be an error, and a promise that such code has returned. */

/**
 * Converts any thrown value to an error. An error is returned unchanged; any other value becomes the `cause` of an error that names its
 * origin, such as "a protocol threw".
 */
export function asError(thrown: unknown, whence: string): Error {
  if (isError(thrown)) return thrown;
  return Object.assign(new Error(`${whence} ${show(thrown)}`, { cause: thrown }), { code: "ERR_NOT_AN_ERROR" as const });
}

/** Describes a thrown value for a warning: the stack of an error, or the value as text. Never throws. */
export function describe(thrown: unknown): string {
  if (!isError(thrown)) return show(thrown);
  try {
    const stack: unknown = thrown.stack ?? `${thrown.name}: ${thrown.message}`;
    return String(stack);
  } catch {
    return show(thrown);
  }
}

/** Last resort: emits a process warning, with the stack. */
export function warnOf(thrown: unknown): void {
  emitWarning(isOfThisRealm(thrown) ? thrown : describe(thrown)); // Node: accepts no other errors
}

function isOfThisRealm(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false; // a proxy that throws when it is inspected
  }
}

/** Emits a process warning. Never throws, although `process.emitWarning()` does in a test run that forbids warnings. */
export function emitWarning(warning: Error | string, options?: { readonly type: string; readonly code: string }): void {
  try {
    if (options === undefined) process.emitWarning(warning);
    else process.emitWarning(warning, options);
  } catch {
    // There is no other place to report it.
  }
}

/**
 * Calls a function of the program and reports the outcome. If the function returns a promise, the outcome is known when the promise
 * settles.
 *
 * Treats a promise of another realm and any other thenable as a promise. An exception is a failure, whether the function or a `then` of its
 * result throws it.
 *
 * @param onFailure called with the thrown value or the promise's rejection; must not throw
 * @param onSettled called when a promise is fulfilled, and not for any other result
 */
export function callForeign(call: () => unknown, onFailure: (error: unknown) => void, onSettled?: () => void): void {
  try {
    const result = call();
    if (!isThenable(result)) return;
    if (isPlainPromise(result)) {
      void result.then(onSettled, onFailure);
      return;
    }
    // A new promise calls `then` in a separate job, and handles a `then` that throws or calls back twice.
    new Promise((resolve) => resolve(result)).then(onSettled, onFailure);
  } catch (error) {
    onFailure(error);
  }
}

const then: unknown = Reflect.get(Promise.prototype, "then");

/** Whether a value is a promise as async functions return it: of this realm, and without its own `then`. */
function isPlainPromise(value: unknown): value is Promise<unknown> {
  return Object.getPrototypeOf(value) === Promise.prototype && (value as Promise<unknown>).then === then;
}

/** Whether `await` treats a value as a promise. */
export function isThenable(value: unknown): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as { readonly then?: unknown }).then === "function";
}

/** A listener that does nothing: without one, an `'error'` event would be an uncaught exception. */
export function ignore(): void {}
