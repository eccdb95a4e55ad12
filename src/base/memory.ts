/**
 * Memory that is handed out: each piece has an `ArrayBuffer` of its own, never a share of Node's pool.
 *
 * A program may give away the memory of what it was handed (`postMessage()`, `structuredClone()` or `enqueue()` with a transfer, `transfer()`),
 * and then every view of that `ArrayBuffer` is empty. Node: `ReadableByteStreamController.enqueue()` takes away even memory that is marked as
 * untransferable, the pool of `Buffer.from()` included, up to version 24. To see it: `controller.enqueue(Buffer.from("x"))`, then look at the
 * `length` of another short `Buffer`.
 */
import { type Data, toBytes } from "./arguments.js";
import { ConnectionMemoryError, DetachedMemoryError } from "./errors.js";

type BufferConstructor = new (bytes: number) => Buffer;

/**
 * V8 keeps up to so many bytes inside of the object, and makes an `ArrayBuffer` only when one is asked for: several times cheaper. V8's own
 * default of `--typed-array-max-size-in-heap`.
 */
const IN_OBJECT_BYTES = 64;

/** Node: the class of every `Buffer`; called by `new` it takes no detour. */
const OwnBuffer: BufferConstructor | null = findConstructor();

function findConstructor(): BufferConstructor | null {
  const Species = (Buffer as unknown as { readonly [Symbol.species]?: BufferConstructor })[Symbol.species];
  if (typeof Species !== "function") return null;
  try {
    const buffer = new Species(1);
    return Buffer.isBuffer(buffer) && buffer.length === 1 && buffer.buffer.byteLength === 1 ? Species : null;
    /* c8 ignore next 3 -- no runtime so far */
  } catch {
    return null;
  }
}

/**
 * Allocates memory with an `ArrayBuffer` of its own. What is in it is undefined.
 *
 * @throws ConnectionMemoryError if the system has none left
 */
export function allocate(bytes: number): Buffer {
  if (bytes <= IN_OBJECT_BYTES && OwnBuffer !== null) return new OwnBuffer(bytes);
  try {
    return Buffer.allocUnsafeSlow(bytes);
  } catch (cause) {
    throw new ConnectionMemoryError(`cannot allocate ${bytes} bytes`, { cause });
  }
}

/**
 * A copy in memory of its own.
 *
 * @throws ConnectionMemoryError if the system has none left
 * @throws DetachedMemoryError if the memory of `bytes` was given away
 */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copied = allocate(bytes.length);
  copyInto(copied, bytes, 0);
  return copied;
}

/**
 * Copies all of `bytes` to `target`, from the place `at` on.
 *
 * @throws DetachedMemoryError if the memory of `bytes` was given away
 */
export function copyInto(target: Buffer, bytes: Uint8Array, at: number): void {
  try {
    target.set(bytes, at);
  } catch (cause) {
    throw new DetachedMemoryError(`cannot copy ${bytes.length} bytes: their memory was transferred (detached)`, { cause });
  }
}

/** Bytes or text as bytes that may be kept and handed on: text in memory of its own. */
export function toOwnBytes(name: string, data: Data): Uint8Array {
  const bytes = toBytes(name, data);
  return typeof data === "string" ? ownCopy(bytes) : bytes;
}

/** Pieces below this may lie in the platform's pool. Node: half of `Buffer.poolSize`, which is 64 KiB since version 26. */
const POOLED_BYTES = 32_768;

/** The same bytes, in memory of their own if they may lie in the platform's pool. */
export function unpooled(bytes: Buffer): Buffer {
  return bytes.length < POOLED_BYTES && bytes.length < bytes.buffer.byteLength ? ownCopy(bytes) : bytes;
}

/** A constant, in memory that no other `Buffer` shares: bytes of `Buffer.from()` may lie in Node's pool. */
export function constant(text: string): Buffer {
  return ownCopy(Buffer.from(text));
}

/**
 * How many bytes of a view are still there, 0 where its memory was given away.
 *
 * Node 20, 22: what V8 has optimised may take `length` for what it was before; `byteLength`, which costs more, is always right. To see it: the
 * soak with `length` here, `npm run soak -- 2`.
 */
export function bytesThere(view: Uint8Array): number {
  return view.byteLength;
}

/** Checks that the memory of a piece, which is never empty, has not been given away. */
export function intact(piece: Buffer | undefined): Buffer {
  if (piece === undefined || bytesThere(piece) === 0) {
    throw new DetachedMemoryError("cannot read: the program transferred (detached) the memory of unread bytes");
  }
  return piece;
}
