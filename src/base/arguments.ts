/**
 * Argument checks, those of TLS with their defaults included, and the three errors that they throw.
 *
 * Promises: the message names the argument, says what is allowed and shows the given value. The error is a `RangeError` or `TypeError` with
 * the `code` that Node uses for its own errors. Every public call runs these checks before it changes anything.
 */
import { inspect, types } from "node:util";
import type { NonSharedBuffer, NonSharedUint8Array } from "./bytes.js";
import { MAX_TIMER_MS } from "./scheduling.js";

/** Bytes to write; a string is encoded as UTF-8. */
export type Data = Uint8Array | string;

/** Options of every call that waits. */
export interface SignalOptions {
  /** Ends the wait when it is aborted: the call rejects with the signal's `reason`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Ends the wait after this many milliseconds: the call rejects with a `TimeoutError`. `Infinity` means no limit. Otherwise a time-out has
   * the same effects as an abort. A time-out is much cheaper than a signal for each call, and a call that need not wait creates no timer.
   * The timer keeps the process alive while the call waits.
   */
  readonly timeout?: number | undefined;
}

/** Maximum length of a value in a message. */
const MAX_SHOWN_CHARACTERS = 80;

/** Formats a value for a message: on one line, cut if it is long. An instance of a class is shown by its class name. Never throws. */
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

/** Returns the class name of an object if the name says more than the contents; `null` for plain objects, arrays and bytes. */
function classOf(value: unknown): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return null;
  const name: unknown = (value.constructor as { readonly name?: unknown } | undefined)?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? name : null;
}

/** Formats the address of a socket for a message: the path as a string literal, `127.0.0.1:80` or `[::1]:80`. */
export function showAddress(address: string | readonly [host: string, port: number, ...others: unknown[]]): string {
  if (typeof address === "string") return JSON.stringify(address);
  const [host, port] = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

const INVALID_TYPE = { code: "ERR_INVALID_ARG_TYPE" } as const;

/** Creates the error for a number outside the allowed range. */
export function outOfRange(name: string, allowed: string, value: unknown): RangeError {
  return Object.assign(new RangeError(`${name} must be ${allowed}, not ${show(value)}`), { code: "ERR_OUT_OF_RANGE" as const });
}

/** Creates the error for a value of the wrong type. */
export function invalidType(name: string, allowed: string, value: unknown): TypeError {
  return Object.assign(new TypeError(`${name} must be ${allowed}, not ${show(value)}`), INVALID_TYPE);
}

/** Creates the error for an invalid value or an invalid combination of options. */
export function invalidValue(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: "ERR_INVALID_ARG_VALUE" as const });
}

/** The highest number that fits an `int` of C: of descriptors, queue lengths and most arguments of the system. */
export const MAX_INT: number = 2 ** 31 - 1;

/** Checks an integer and returns it. */
export function checkInteger(name: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number") throw invalidType(name, "a number", value);
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw outOfRange(name, rangeOf(min, max), value);
  }
  return value;
}

/** Checks a time limit in milliseconds and returns it. `Infinity` stands for no limit. */
export function checkTimeout(name: string, value: unknown, min: number): number {
  if (value === Infinity) return Infinity;
  if (typeof value !== "number") throw invalidType(name, "a number", value);
  if (Number.isInteger(value) && value >= min && value <= MAX_TIMER_MS) return value;
  throw outOfRange(name, `${rangeOf(min, MAX_TIMER_MS)}, or Infinity for no limit`, value);
}

function rangeOf(min: number, max: number): string {
  if (max < Number.MAX_SAFE_INTEGER) return `an integer from ${min} to ${max}`;
  return min === Number.MIN_SAFE_INTEGER ? "an integer" : `an integer of at least ${min}`;
}

/** Checks an optional boolean and returns it. */
export function checkBoolean(name: string, value: unknown): boolean | undefined {
  if (value !== undefined && typeof value !== "boolean") throw invalidType(name, "true or false", value);
  return value;
}

/** Checks a function. */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw invalidType(name, "a function", value);
}

/**
 * Whether a value is an error. Accepts errors of another realm, too, which fail `instanceof Error`: a test runner may use one realm per
 * file.
 */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error || types.isNativeError(value);
  } catch {
    return false; // a proxy that throws when it is inspected
  }
}

/** Checks an error. */
export function checkError(name: string, value: unknown): void {
  if (!isError(value)) throw invalidType(name, "an Error", value);
}

/** Methods that a protocol may omit. An omitted method does nothing, like the one of `BaseProtocol`. */
const OPTIONAL_METHODS = ["connectionMade", "eofReceived", "connectionLost", "pauseWriting", "resumeWriting", "shutdownRequested"] as const;

/** Checks a protocol: any object with `dataReceived()` is one. Rejects an optional method that is not a function. */
export function checkProtocol(name: string, value: unknown): void {
  const protocol = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof protocol["dataReceived"] !== "function") throw invalidType(name, "a Protocol (an object with a dataReceived() method)", value);
  for (const method of OPTIONAL_METHODS) {
    const found = protocol[method];
    if (found !== undefined && typeof found !== "function") throw invalidType(`${method} of ${name}`, "a function", found);
  }
}

/** Checks an options object. Rejects a number or a string, which would otherwise be ignored silently. */
export function checkOptions(name: string, value: unknown): void {
  if (value !== undefined && (typeof value !== "object" || value === null)) throw invalidType(name, "an options object", value);
}

/** Checks an optional signal and returns it. */
export function checkSignal(value: AbortSignal | undefined): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null || typeof value.aborted !== "boolean" || typeof value.addEventListener !== "function") {
    throw invalidType("signal", "an AbortSignal", value);
  }
  return value;
}

/**
 * The prototype of all typed arrays. Its getters are read once, because an object may have properties of the same names with other values.
 */
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const lengthOf = getter(typedArray, "length");
const byteOffsetOf = getter(typedArray, "byteOffset");
const bufferOf = getter(typedArray, "buffer") as (this: unknown) => ArrayBufferLike;

function getter(prototype: object, name: string): (this: unknown) => unknown {
  return Reflect.get(Object.getOwnPropertyDescriptor(prototype, name) as object, "get") as (this: unknown) => unknown;
}

/**
 * Whether a value is a `Uint8Array`, of any realm. The internal slot decides: an object that only has the prototype is rejected, and so is
 * a proxy. An array whose `length` property differs from its real length is also rejected, because the system would send that many bytes of
 * memory.
 */
export function isBytes(value: unknown): value is Uint8Array {
  return types.isUint8Array(value) && value.length === lengthOf.call(value);
}

/** Converts bytes or text to bytes; bytes are not copied. */
export function toBytes(name: string, data: Data): Uint8Array {
  if (typeof data === "string") return Buffer.from(data);
  if (isBytes(data)) {
    if (data.length === 0) refuseLostMemory(name, data);
    return data;
  }
  throw invalidType(name, "a Uint8Array or a string", data);
}

/** Checks several pieces and returns the bytes of each. Throws before any piece is used. A single piece counts as a list of one. */
export function toPieces(list: Iterable<Data>): Uint8Array[] {
  if (typeof list === "string" || isBytes(list)) return [toBytes("list", list)];
  const isList = typeof (list as Partial<Iterable<Data>> | null | undefined)?.[Symbol.iterator] === "function";
  // A typed array of another type, or an object with the prototype of one
  if (!isList || (typeof list === "object" && "BYTES_PER_ELEMENT" in list)) {
    throw invalidType("list", "an iterable of Uint8Arrays and strings", list);
  }
  const pieces: Uint8Array[] = [];
  for (const data of list) pieces.push(toBytes(`list[${pieces.length}]`, data));
  return pieces;
}

/** Rejects an empty view whose memory was detached or shrunk. It would otherwise pass as zero bytes. */
function refuseLostMemory(name: string, view: Uint8Array): void {
  const lost = lostMemory(view);
  if (lost !== null) throw Object.assign(new TypeError(`${name} must be bytes whose memory is still attached, not ${lost}`), INVALID_TYPE);
}

/** Describes how an empty view lost its memory; `null` if the memory is intact. */
export function lostMemory(view: Uint8Array): string | null {
  try {
    keysOf.call(view); // Node 20 has no `detached`, but every method rejects a view without memory
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

/** Returns a `Buffer` over the same memory. */
export function asBuffer(bytes: NonSharedUint8Array): NonSharedBuffer;
export function asBuffer(bytes: Uint8Array): Buffer;
export function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bufferOf.call(bytes), byteOffsetOf.call(bytes) as number, lengthOf.call(bytes) as number);
}

/** Returns the same bytes, copied if they lie in a `SharedArrayBuffer`, whose bytes other threads can change. */
export function unshared(bytes: Uint8Array): NonSharedUint8Array {
  if (!types.isSharedArrayBuffer(bufferOf.call(bytes))) return bytes as NonSharedUint8Array;
  const copied = Buffer.alloc(bytes.length); // never in Node's pool
  copied.set(bytes);
  return copied;
}

/* Checks of the TLS arguments, and the default TLS time-outs, each with its source. */

/** TLS handshake time-out in milliseconds. CPython: `SSL_HANDSHAKE_TIMEOUT`, 60 s, which is nginx's default. */
const TLS_HANDSHAKE_TIMEOUT_MS = 60_000;

/** TLS shutdown time-out in milliseconds. CPython: `SSL_SHUTDOWN_TIMEOUT`, 30 s, which is nginx's `lingering_time`. */
const TLS_SHUTDOWN_TIMEOUT_MS = 30_000;

/** Checks the two time-outs and fills in the defaults. */
export function tlsTimeouts(
  options: { readonly sslHandshakeTimeout?: number | undefined; readonly sslShutdownTimeout?: number | undefined } | undefined,
): {
  sslHandshakeTimeout: number;
  sslShutdownTimeout: number;
} {
  return {
    sslHandshakeTimeout: timeout("sslHandshakeTimeout", options?.sslHandshakeTimeout, TLS_HANDSHAKE_TIMEOUT_MS),
    sslShutdownTimeout: timeout("sslShutdownTimeout", options?.sslShutdownTimeout, TLS_SHUTDOWN_TIMEOUT_MS),
  };
}

/** Rejects options that have no meaning without `ssl`. */
export function refuseWithoutSsl(options: object | undefined): void {
  for (const name of ["serverHostname", "sslHandshakeTimeout", "sslShutdownTimeout"]) {
    if ((options as Record<string, unknown> | undefined)?.[name] !== undefined) throw invalidValue(`${name} is only meaningful with ssl`);
  }
}

function timeout(name: string, value: number | undefined, standard: number): number {
  return value === undefined ? standard : checkTimeout(name, value, 1);
}

/** Checks a client's `ssl` and returns it. */
export function checkClientSsl<T>(ssl: T): T {
  if (ssl !== true && (typeof ssl !== "object" || ssl === null))
    throw invalidType("ssl", "true, a SecureContext or tls.ConnectionOptions", ssl);
  return ssl;
}

/** Checks a server's `ssl` and returns it. CPython: a boolean is a TypeError, because a server needs a certificate. */
export function checkServerSsl<T>(ssl: T): T {
  if (typeof ssl !== "object" || ssl === null)
    throw invalidType("ssl", "a SecureContext or tls.TlsOptions, with a certificate and its key", ssl);
  return ssl;
}

/** Checks the server name that a client expects, and returns it. */
export function checkServerHostname(role: "client" | "server", name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  if (role === "server") throw invalidValue("serverHostname is only meaningful for a client: this end is the server");
  if (typeof name !== "string") throw invalidType("serverHostname", "a string", name);
  return name;
}
