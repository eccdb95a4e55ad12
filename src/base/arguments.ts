/**
 * Checks of arguments, and the three errors they throw.
 *
 * Promises: the message names the argument, says what is allowed, and shows the value at hand; the error is a `RangeError` or `TypeError` with
 * the `code` that Node gives its own. Every public call uses these before it touches anything.
 */
import { inspect, types } from "node:util";

/** Bytes to be written: a string stands for its UTF-8. */
export type Data = Uint8Array | string;

/** What every waiting call takes. */
export interface SignalOptions {
  /** Ends the wait: the call rejects with the signal's `reason`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Ends the wait after so many milliseconds: the call rejects with a `DOMException` named `TimeoutError`, as `AbortSignal.timeout()` has it, and what holds for an aborted
   * call holds for this one. Much cheaper than a signal for each call; nothing is made when there is nothing to wait for. Keeps the process alive while the call waits.
   */
  readonly timeout?: number | undefined;
}

/** As much of a value as a message shows. */
const MAX_SHOWN_CHARACTERS = 80;

/** A value as it is shown in a message: on one line and cut where it would be long, an object of a class by the name of that. */
export function show(value: unknown): string {
  const name = classOf(value);
  if (name !== null) return `an instance of ${name}`;
  const text = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 40, maxArrayLength: 5 });
  const shown = text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}...` : text;
  return typeof value === "object" || typeof value === "function" || value === undefined ? shown : `${typeof value} ${shown}`;
}

/** The class of an object whose insides would tell less than its name: not of plain objects, arrays and bytes. */
function classOf(value: unknown): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return null;
  const name: unknown = (value.constructor as { readonly name?: unknown } | undefined)?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? name : null;
}

/** A number outside what is allowed. */
export function outOfRange(name: string, allowed: string, value: unknown): RangeError {
  return Object.assign(new RangeError(`${name} must be ${allowed}, not ${show(value)}`), { code: "ERR_OUT_OF_RANGE" as const });
}

/** A value of a type that is not allowed. */
export function invalidType(name: string, allowed: string, value: unknown): TypeError {
  return Object.assign(new TypeError(`${name} must be ${allowed}, not ${show(value)}`), { code: "ERR_INVALID_ARG_TYPE" as const });
}

/** A value, or a combination of options, that cannot be meant. */
export function invalidValue(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: "ERR_INVALID_ARG_VALUE" as const });
}

/** Checks an integer; returns it. */
export function checkInteger(name: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number") throw invalidType(name, "a number", value);
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw outOfRange(name, rangeOf(min, max), value);
  }
  return value;
}

function rangeOf(min: number, max: number): string {
  if (max < Number.MAX_SAFE_INTEGER) return `an integer from ${min} to ${max}`;
  return min === Number.MIN_SAFE_INTEGER ? "an integer" : `an integer of at least ${min}`;
}

/** Checks an optional true or false. */
export function checkBoolean(name: string, value: unknown): boolean | undefined {
  if (value !== undefined && typeof value !== "boolean") throw invalidType(name, "true or false", value);
  return value;
}

/** Checks a function. */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw invalidType(name, "a function", value);
}

/** Whether it is an error, also one of another realm, which is no `instanceof Error`: a test runner may have one for each file. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** Checks an error. */
export function checkError(name: string, value: unknown): void {
  if (!isError(value)) throw invalidType(name, "an Error", value);
}

/** Checks a protocol: whatever can receive is one. */
export function checkProtocol(name: string, value: unknown): void {
  const { dataReceived } = (value ?? {}) as { readonly dataReceived?: unknown };
  if (typeof dataReceived !== "function") throw invalidType(name, "a Protocol, which has at least dataReceived()", value);
}

/** Checks an options object: a number or a string in its place is a slip that would otherwise pass silently. */
export function checkOptions(name: string, value: unknown): void {
  if (value !== undefined && (typeof value !== "object" || value === null)) throw invalidType(name, "an options object", value);
}

/** Checks an optional signal; returns it. */
export function checkSignal(value: AbortSignal | undefined): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null || typeof value.aborted !== "boolean" || typeof value.addEventListener !== "function") {
    throw invalidType("signal", "an AbortSignal", value);
  }
  return value;
}

/** Bytes or text as bytes, without a copy where they are bytes already. */
export function toBytes(name: string, data: Data): Uint8Array {
  if (typeof data === "string") return Buffer.from(data);
  if (data instanceof Uint8Array) {
    if (data.length === 0 && isDetached(data)) throw invalidType(name, "bytes whose memory was not given away (detached)", data);
    return data;
  }
  throw invalidType(name, "a Uint8Array or a string", data);
}

/** Checks several pieces; returns the bytes of each, or throws before any is used. One piece is a list, too. */
export function toPieces(list: Iterable<Data>): Uint8Array[] {
  if (typeof list === "string" || list instanceof Uint8Array) return [toBytes("list", list)];
  if (typeof (list as Partial<Iterable<Data>> | null | undefined)?.[Symbol.iterator] !== "function") {
    throw invalidType("list", "an iterable of Uint8Arrays and strings", list);
  }
  return Array.from(list, (data, index) => toBytes(`list[${index}]`, data));
}

/** A view of memory that was given away has no bytes, and would silently be nothing. */
function isDetached({ buffer }: Uint8Array): boolean {
  try {
    return new Uint8Array(buffer).length < 0; // Node 20 has no `detached`, but refuses the view
  } catch {
    return true;
  }
}

/** The same memory as a `Buffer`. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
