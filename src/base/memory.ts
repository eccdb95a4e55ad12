/**
 * Memory that is handed out: each piece has its own `ArrayBuffer`, and is never a part of Node's pool.
 *
 * The memory rules, by the numbers that the files which keep them refer to:
 *   - M1. Memory that the system, OpenSSL or this library may still write to is never reachable for the program.
 *   - M2. What two connections hand out or have unread never lies in one `ArrayBuffer` that a program can detach.
 *   - M3. Bytes handed out never change.
 *   - M4. Detached or shrunk memory is an error of that call or that connection, with a code.
 *   - M5. A failed allocation ends that connection with its error, or falls back to a copy.
 *
 * A program may transfer the memory that it was handed (`postMessage()`, `structuredClone()` or `enqueue()` with a transfer, `transfer()`),
 * and then every view of that `ArrayBuffer` is empty.
 *
 * Node: up to version 24, `ReadableByteStreamController.enqueue()` detaches even memory that is marked as untransferable, including the
 * pool of `Buffer.from()`. To see it: `controller.enqueue(Buffer.from("x"))`, then look at the `length` of another short `Buffer`.
 */

import { type Data, toBytes, unshared } from "./arguments.js";
import type { NonSharedBuffer, NonSharedUint8Array } from "./bytes.js";
import { ConnectionMemoryError, DetachedMemoryError } from "./errors.js";

type BufferConstructor = new (bytes: number) => NonSharedBuffer;

/**
 * V8 stores up to this many bytes inside the object and creates an `ArrayBuffer` only on demand, which is several times cheaper. V8's own
 * default of `--typed-array-max-size-in-heap`.
 */
const IN_OBJECT_BYTES = 64;

/** Node: the class of every `Buffer`. Calling it with `new` skips the checks of the documented functions. */
const OwnBuffer: BufferConstructor | null = findBufferConstructor();

function findBufferConstructor(): BufferConstructor | null {
  const Species = (Buffer as unknown as { readonly [Symbol.species]?: BufferConstructor })[Symbol.species];
  if (typeof Species !== "function") return null;
  try {
    const buffer = new Species(1);
    return Buffer.isBuffer(buffer) && buffer.length === 1 && buffer.buffer.byteLength === 1 ? Species : null;
    /* c8 ignore next 3 -- no known runtime gets here */
  } catch {
    return null;
  }
}

/**
 * Allocates memory with its own `ArrayBuffer`. The contents are undefined.
 *
 * @throws ConnectionMemoryError if the system has no memory left
 */
export function allocate(bytes: number): NonSharedBuffer {
  if (bytes <= IN_OBJECT_BYTES && OwnBuffer !== null) return new OwnBuffer(bytes);
  try {
    return Buffer.allocUnsafeSlow(bytes);
  } catch (cause) {
    throw new ConnectionMemoryError(`cannot allocate ${bytes} bytes`, { cause });
  }
}

/** Allocates like `allocate()`; returns `undefined` if the system has no memory left. */
export function tryAllocate(bytes: number): NonSharedBuffer | undefined {
  try {
    return allocate(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Returns a copy with its own `ArrayBuffer`.
 *
 * @throws ConnectionMemoryError if the system has no memory left
 * @throws DetachedMemoryError if the memory of `bytes` was detached
 */
export function ownCopy(bytes: Uint8Array): NonSharedBuffer {
  const copied = allocate(bytes.length);
  copyInto(copied, bytes, 0);
  return copied;
}

/**
 * Copies all of `bytes` to `target`, starting at `at`.
 *
 * @throws DetachedMemoryError if the memory of `bytes` was detached
 */
export function copyInto(target: NonSharedBuffer, bytes: Uint8Array, at: number): void {
  try {
    target.set(bytes, at);
  } catch (cause) {
    throw new DetachedMemoryError(`cannot copy ${bytes.length} bytes: their memory was transferred (detached)`, { cause });
  }
}

/** Up to this many bytes, `copyShort()` is faster than the runtime: 64 bytes take 70 ns instead of 110 to 200 ns on Node 20. */
export const MAX_LOOPED_BYTES = 128;

/** Copies a few bytes. Both memories must be intact. V8 checks for interrupts in each round of a loop, hence four bytes a round. */
export function copyShort(target: Uint8Array, source: Uint8Array, start: number, count: number): void {
  let index = 0;
  for (; index + 4 <= count; index += 4) {
    const at = start + index;
    target[index] = source[at] as number;
    target[index + 1] = source[at + 1] as number;
    target[index + 2] = source[at + 2] as number;
    target[index + 3] = source[at + 3] as number;
  }
  for (; index < count; index += 1) target[index] = source[start + index] as number;
}

/**
 * Converts bytes or text to bytes that may be kept and handed on. Text gets its own memory, and so do bytes in a `SharedArrayBuffer`.
 *
 * @param mayBeShared false for bytes that are known not to be in a `SharedArrayBuffer`
 */
export function toOwnBytes(name: string, data: Data, mayBeShared: boolean = true): NonSharedUint8Array {
  const bytes = toBytes(name, data);
  if (typeof data === "string") return ownCopy(bytes);
  return mayBeShared ? unshared(bytes) : (bytes as NonSharedUint8Array);
}

/* Which received chunks are kept, and which are copied so that little memory is kept alive. */

/** Shorter chunks are copied: up to 1 KiB, a copy costs less than the object for a separate chunk. */
const SMALL_CHUNK_BYTES = 1024;
/** Chunks of at least this length are kept. It is a quarter of the 64 KiB that sockets read into. */
const LARGE_CHUNK_BYTES = 16_384;
/** Maximum memory that a chunk may keep alive, as a multiple of its length. */
export const MAX_KEPT_ALIVE_FACTOR = 4;

/** Whether a copy of a chunk costs less than keeping the chunk and the memory that it lies in. */
export function isWorthCopying(bytes: Uint8Array): boolean {
  if (bytes.length < SMALL_CHUNK_BYTES) return true;
  return bytes.length < LARGE_CHUNK_BYTES && isSmallPart(bytes.length, bytes);
}

/** Whether `length` bytes are too few to keep the memory of `bytes` alive for them. */
export function isSmallPart(length: number, bytes: Uint8Array): boolean {
  return length * MAX_KEPT_ALIVE_FACTOR < bytes.buffer.byteLength;
}

/** Shorter pieces may lie in the runtime's pool. Node: half of `Buffer.poolSize`, which is 64 KiB since version 26. */
const POOLED_BYTES = 32_768;

/** Returns the same bytes, copied to their own memory if they may lie in the runtime's pool. */
export function unpooled(bytes: NonSharedBuffer): NonSharedBuffer {
  return bytes.length < POOLED_BYTES && bytes.length < bytes.buffer.byteLength ? ownCopy(bytes) : bytes;
}

/** Returns a constant in memory that no other `Buffer` shares: bytes of `Buffer.from()` may lie in Node's pool. */
export function constant(text: string): NonSharedBuffer {
  return ownCopy(Buffer.from(text));
}

/** No bytes, for calls that need some argument. Not handed out. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** The byte that ends a line. */
export const NEWLINE_BYTE = 0x0a;
/** The newline as a separator. */
export const NEWLINE: NonSharedBuffer = constant("\n");

/**
 * Returns how many bytes of a view still exist: 0 if its memory was detached.
 *
 * Node 20, 22: code that V8 has optimized may use an outdated `length`. `byteLength` costs more and is always right. To see it: run the
 * soak with `length` here, `npm run soak -- 2`.
 */
export function bytesThere(view: Uint8Array): number {
  return view.byteLength;
}

/** Checks that the memory of a piece, which is never empty, was not detached, and returns the piece. */
export function intact(piece: NonSharedBuffer | undefined): NonSharedBuffer {
  if (piece === undefined || bytesThere(piece) === 0) {
    throw new DetachedMemoryError("cannot read: the program transferred (detached) the memory of unread bytes");
  }
  return piece;
}

/* Views: a `Buffer` over a part of another's memory, created as cheaply as the runtime allows. */

type ViewConstructor = new (memory: ArrayBuffer, offset: number, length: number) => NonSharedBuffer;

/**
 * Node: the class with which `subarray()` creates its result, after checks that take longer than the creation. By the standard,
 * `Symbol.species` names it.
 */
const View: ViewConstructor | null = findViewConstructor();

function findViewConstructor(): ViewConstructor | null {
  const Species = (Buffer as unknown as { readonly [Symbol.species]?: ViewConstructor })[Symbol.species];
  if (typeof Species !== "function") return null;
  try {
    const view = new Species(new ArrayBuffer(4), 1, 2);
    return Buffer.isBuffer(view) && view.length === 2 && view.byteOffset === 1 ? Species : null;
    /* c8 ignore next 3 -- no known runtime gets here */
  } catch {
    return null;
  }
}

/** Returns a view of `length` bytes of `bytes`, from `offset` on. They must exist. */
export function makeView(bytes: NonSharedBuffer, offset: number, length: number): NonSharedBuffer {
  if (View === null) return bytes.subarray(offset, offset + length);
  return new View(bytes.buffer, bytes.byteOffset + offset, length);
}

/** Creates many views of one buffer, and reads the properties of the buffer only once. */
export class Viewer {
  readonly #bytes: NonSharedBuffer;
  readonly #memory: ArrayBuffer;
  readonly #start: number;
  /** Length of the buffer in bytes. */
  readonly length: number;

  constructor(bytes: NonSharedBuffer) {
    this.#bytes = bytes;
    this.#memory = bytes.buffer;
    this.#start = bytes.byteOffset;
    this.length = bytes.length;
  }

  isOf(bytes: NonSharedBuffer): boolean {
    return this.#bytes === bytes;
  }

  /** Returns a view, like `makeView()`. */
  view(offset: number, length: number): NonSharedBuffer {
    return View === null ? this.#bytes.subarray(offset, offset + length) : new View(this.#memory, this.#start + offset, length);
  }
}
