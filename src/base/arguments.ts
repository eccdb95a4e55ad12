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

/** A value as it is shown in a message: on one line and cut where it would be long, an object of a class by the name of that. Never throws. */
export function show(value: unknown): string {
  try {
    return shown(value);
  } catch {
    return "a value that throws when inspected";
  }
}

function shown(value: unknown): string {
  const name = classOf(value);
  if (name !== null) return `an instance of ${name}`;
  const text = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 40, maxArrayLength: 5 });
  const short = text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}...` : text;
  return typeof value === "object" || typeof value === "function" || value === undefined ? short : `${typeof value} ${short}`;
}

/** The class of an object whose insides would tell less than its name: not of plain objects, arrays and bytes. */
function classOf(value: unknown): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return null;
  const name: unknown = (value.constructor as { readonly name?: unknown } | undefined)?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? name : null;
}

const INVALID_TYPE = { code: "ERR_INVALID_ARG_TYPE" } as const;

/** A number outside what is allowed. */
export function outOfRange(name: string, allowed: string, value: unknown): RangeError {
  return Object.assign(new RangeError(`${name} must be ${allowed}, not ${show(value)}`), { code: "ERR_OUT_OF_RANGE" as const });
}

/** A value of a type that is not allowed. */
export function invalidType(name: string, allowed: string, value: unknown): TypeError {
  return Object.assign(new TypeError(`${name} must be ${allowed}, not ${show(value)}`), INVALID_TYPE);
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
  try {
    return value instanceof Error || types.isNativeError(value);
  } catch {
    return false; // a proxy that throws when it is asked
  }
}

/** Checks an error. */
export function checkError(name: string, value: unknown): void {
  if (!isError(value)) throw invalidType(name, "an Error", value);
}

/** The methods that a protocol may lack, as `BaseProtocol` has them: they do nothing. */
const OPTIONAL_METHODS = ["connectionMade", "eofReceived", "connectionLost", "pauseWriting", "resumeWriting", "shutdownRequested"] as const;

/** Checks a protocol: whatever can receive is one. A method that is there, and is no function, is a slip. */
export function checkProtocol(name: string, value: unknown): void {
  const protocol = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof protocol["dataReceived"] !== "function") throw invalidType(name, "a Protocol (an object with a dataReceived() method)", value);
  for (const method of OPTIONAL_METHODS) {
    const found = protocol[method];
    if (found !== undefined && typeof found !== "function") throw invalidType(`${method} of ${name}`, "a function", found);
  }
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

/** Of every typed array. Taken once: an object may have properties of these names that say something else. */
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const lengthOf = getter(typedArray, "length");
const byteOffsetOf = getter(typedArray, "byteOffset");
const bufferOf = getter(typedArray, "buffer") as (this: unknown) => ArrayBufferLike;

function getter(prototype: object, name: string): (this: unknown) => unknown {
  return Reflect.get(Object.getOwnPropertyDescriptor(prototype, name) as object, "get") as (this: unknown) => unknown;
}

/**
 * Whether it is a `Uint8Array`, of whatever realm. Its internal slot decides: an object with the prototype is none, nor is a proxy, nor is one that says it has another length
 * than it has, because the system would send that many bytes of memory.
 */
export function isBytes(value: unknown): value is Uint8Array {
  return types.isUint8Array(value) && value.length === lengthOf.call(value);
}

/** Bytes or text as bytes, without a copy where they are bytes already. */
export function toBytes(name: string, data: Data): Uint8Array {
  if (typeof data === "string") return Buffer.from(data);
  if (isBytes(data)) {
    if (data.length === 0) refuseLostMemory(name, data);
    return data;
  }
  throw invalidType(name, "a Uint8Array or a string", data);
}

/** Checks several pieces; returns the bytes of each, or throws before any is used. One piece is a list, too. */
export function toPieces(list: Iterable<Data>): Uint8Array[] {
  if (typeof list === "string" || isBytes(list)) return [toBytes("list", list)];
  const isList = typeof (list as Partial<Iterable<Data>> | null | undefined)?.[Symbol.iterator] === "function";
  // Numbers in an array, or an object with the prototype of one
  if (!isList || (typeof list === "object" && "BYTES_PER_ELEMENT" in list)) {
    throw invalidType("list", "an iterable of Uint8Arrays and strings", list);
  }
  const pieces: Uint8Array[] = [];
  for (const data of list) pieces.push(toBytes(`list[${pieces.length}]`, data));
  return pieces;
}

/** Checks that a view without bytes was made so: one whose memory is gone has none either, and would silently be nothing. */
function refuseLostMemory(name: string, view: Uint8Array): void {
  const lost = lostMemory(view);
  if (lost !== null) throw Object.assign(new TypeError(`${name} must be bytes whose memory is still attached, not ${lost}`), INVALID_TYPE);
}

/** What has become of the memory of a view without bytes; `null`: it is there. */
export function lostMemory(view: Uint8Array): string | null {
  try {
    keysOf.call(view); // Node 20 has no `detached`, but every method refuses a view whose memory is gone
    return null;
  } catch {
    return isDetached(bufferOf.call(view)) ? "0 bytes in a detached buffer" : "0 bytes in a buffer that was shrunk";
  }
}

const keysOf = Reflect.get(Uint8Array.prototype, "keys") as (this: unknown) => unknown;

function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    return new Uint8Array(buffer).length < 0;
  } catch {
    return true;
  }
}

/** The same memory as a `Buffer`. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bufferOf.call(bytes), byteOffsetOf.call(bytes) as number, lengthOf.call(bytes) as number);
}
