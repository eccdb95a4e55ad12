/**
 * Every error class of this library, one class for each Python exception that has no counterpart among Node's own errors.
 *
 * Promises: a literal `code` to switch on, the class name in `name` (on the prototype, so that a printed error does not repeat it as
 * a property), and an untouched `cause`. Errors of the operating system are not here: they are passed on as Node made them.
 */

/** Puts `name` on the prototype, where the built-in errors have theirs. */
function nameOnPrototype(errorClass: { readonly prototype: Error }, name: string): void {
  Object.defineProperty(errorClass.prototype, "name", { value: name, configurable: true, writable: true });
}

/**
 * The stream ended before a whole message was there.
 *
 * Thrown by `readexactly()` and `readuntil()`; Python's `asyncio.IncompleteReadError`. The bytes that did arrive are in `partial`, and
 * the reader's buffer is empty afterwards.
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
  readonly partial: Buffer;
  /** How many bytes were asked for; `null` when a separator was looked for. */
  readonly expected: number | null;

  /**
   * Makes one.
   *
   * @param partial the bytes read before the end of the stream
   * @param expected how many bytes were asked for, `null` if that was not known
   * @param options `cause`, as for every `Error`
   */
  constructor(partial: Uint8Array, expected: number | null = null, options?: ErrorOptions) {
    const missing = expected === null ? "bytes, before the end of the message" : `of ${expected} expected bytes`;
    super(`the stream ended after ${partial.length} ${missing}`, options);
    this.partial = Buffer.isBuffer(partial) ? partial : Buffer.from(partial.buffer, partial.byteOffset, partial.byteLength);
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
  /** How many bytes can be taken from the reader without cutting into a separator. */
  readonly consumed: number;

  /**
   * Makes one.
   *
   * @param message what overran
   * @param consumed bytes that can be skipped
   * @param options `cause`, as for every `Error`
   */
  constructor(message: string, consumed: number, options?: ErrorOptions) {
    super(message, options);
    this.consumed = consumed;
  }
}
nameOnPrototype(LimitOverrunError, "LimitOverrunError");

/**
 * `readline()` met a line longer than the reader's limit, and dropped it. Python raises a bare `ValueError` here.
 *
 * If the newline had been seen, the line was dropped through it and the next read starts with the next line; if not, everything that was
 * buffered was dropped. Use `readuntil("\n")` where nothing may be dropped.
 */
export class LineTooLongError extends RangeError {
  /** Always `"ERR_LINE_TOO_LONG"`. */
  readonly code = "ERR_LINE_TOO_LONG";
  /** How many bytes were dropped. */
  readonly consumed: number;

  /**
   * Makes one.
   *
   * @param message what was too long
   * @param consumed bytes that were dropped
   * @param options `cause`, as for every `Error`
   */
  constructor(message: string, consumed: number, options?: ErrorOptions) {
    super(message, options);
    this.consumed = consumed;
  }
}
nameOnPrototype(LineTooLongError, "LineTooLongError");

/**
 * A read was started while another one on the same reader was still waiting for data: it would be a matter of luck which of them got the
 * next bytes. Python raises `RuntimeError`.
 */
export class ConcurrentReadError extends Error {
  /** Always `"ERR_CONCURRENT_READ"`. */
  readonly code = "ERR_CONCURRENT_READ";
}
nameOnPrototype(ConcurrentReadError, "ConcurrentReadError");

/**
 * The call does not fit the state of the object: writing after `writeEof()`, `serveForever()` twice, feeding a reader that has had its end.
 * Python raises `RuntimeError` or `AssertionError`.
 */
export class InvalidStateError extends Error {
  /** Always `"ERR_INVALID_STATE"`. */
  readonly code = "ERR_INVALID_STATE";
}
nameOnPrototype(InvalidStateError, "InvalidStateError");

/**
 * The connection is gone, so what was written can no longer be sent. Thrown by `drain()`, with the socket's own error as `cause` where there
 * was one. Python raises `ConnectionResetError('Connection lost')`.
 */
export class ConnectionLostError extends Error {
  /** Always `"ECONNRESET"`. */
  readonly code = "ECONNRESET";
}
nameOnPrototype(ConnectionLostError, "ConnectionLostError");

/**
 * Memory was given away (detached) or shrunk while the library still needed it: bytes that were written and not sent yet, or unread bytes that
 * share their memory with a chunk that the program was handed. Only here: Python's `bytes` cannot be taken away.
 */
export class DetachedMemoryError extends Error {
  /** Always `"ERR_MEMORY_DETACHED"`. */
  readonly code = "ERR_MEMORY_DETACHED";
}
nameOnPrototype(DetachedMemoryError, "DetachedMemoryError");

/** The system has no memory left for what a connection received. Python raises `MemoryError`. */
export class ConnectionMemoryError extends Error {
  /** Always `"ENOMEM"`. */
  readonly code = "ENOMEM";
}
nameOnPrototype(ConnectionMemoryError, "ConnectionMemoryError");

/** The message of an error that may be the program's, with a getter of its own. */
export function messageOf(error: Error): string {
  try {
    const message: unknown = error.message;
    return String(message);
  } catch {
    return "an error whose message cannot be read";
  }
}

/** What was written is lost with its connection, which `cause` ended, if anything did. */
export function notSentError(cause: Error | null): ConnectionLostError {
  const why = cause === null ? "is closed" : `is lost: ${messageOf(cause)}`;
  return new ConnectionLostError(`cannot send written data: the connection ${why}`, cause === null ? undefined : { cause });
}

/** A TLS handshake or TLS shutdown took longer than it may. Python raises `ConnectionAbortedError` or `TimeoutError`. */
export class ConnectionTimeoutError extends Error {
  /** Always `"ETIMEDOUT"`. */
  readonly code = "ETIMEDOUT";
}
nameOnPrototype(ConnectionTimeoutError, "ConnectionTimeoutError");
