/** Views: a `Buffer` on a part of another's memory, made as cheaply as the platform lets us. */

type ViewConstructor = new (memory: ArrayBufferLike, offset: number, length: number) => Buffer;

/** Node: what `subarray()` makes its result with, after checks that take longer than the making. By the standard it is what `Symbol.species` names. */
const View: ViewConstructor | null = findConstructor();

function findConstructor(): ViewConstructor | null {
  const Species = (Buffer as unknown as { readonly [Symbol.species]?: ViewConstructor })[Symbol.species];
  if (typeof Species !== "function") return null;
  try {
    const view = new Species(new ArrayBuffer(4), 1, 2);
    return Buffer.isBuffer(view) && view.length === 2 && view.byteOffset === 1 ? Species : null;
    /* c8 ignore next 3 -- no runtime so far */
  } catch {
    return null;
  }
}

/** The `length` bytes of `bytes` from `offset` on, which have to be there. */
export function makeView(bytes: Buffer, offset: number, length: number): Buffer {
  if (View === null) return bytes.subarray(offset, offset + length);
  return new View(bytes.buffer, bytes.byteOffset + offset, length);
}

/** Makes many views of one buffer: what it has to ask the buffer, it asks once. */
export class Viewer {
  readonly #bytes: Buffer;
  readonly #memory: ArrayBufferLike;
  readonly #start: number;
  /** Of the buffer. */
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

  /** Like `makeView()`. */
  view(offset: number, length: number): Buffer {
    return View === null ? this.#bytes.subarray(offset, offset + length) : new View(this.#memory, this.#start + offset, length);
  }
}
