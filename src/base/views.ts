/** Views: a `Buffer` over a part of another's memory, created as cheaply as the runtime allows. */

type ViewConstructor = new (memory: ArrayBufferLike, offset: number, length: number) => Buffer;

/**
 * Node: the class with which `subarray()` creates its result, after checks that take longer than the creation. By the standard,
 * `Symbol.species` names it.
 */
const View: ViewConstructor | null = findConstructor();

function findConstructor(): ViewConstructor | null {
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
export function makeView(bytes: Buffer, offset: number, length: number): Buffer {
  if (View === null) return bytes.subarray(offset, offset + length);
  return new View(bytes.buffer, bytes.byteOffset + offset, length);
}

/** Creates many views of one buffer, and reads the properties of the buffer only once. */
export class Viewer {
  readonly #bytes: Buffer;
  readonly #memory: ArrayBufferLike;
  readonly #start: number;
  /** Length of the buffer in bytes. */
  readonly length: number;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#memory = bytes.buffer;
    this.#start = bytes.byteOffset;
    this.length = bytes.length;
  }

  isOf(bytes: Buffer): boolean {
    return this.#bytes === bytes;
  }

  /** Returns a view, like `makeView()`. */
  view(offset: number, length: number): Buffer {
    return View === null ? this.#bytes.subarray(offset, offset + length) : new View(this.#memory, this.#start + offset, length);
  }
}
