/** Counting the bytes that are searched and copied, for tests of what something costs that do not look at the clock. */
import { turns } from "../support/turns.js";

/** Bytes that went through the calls that look at bytes or move them. */
export interface Work {
  searched: number;
  copied: number;
}

/** The methods that are counted, as properties of what they are called on. */
interface Counted {
  indexOf: (this: Buffer, value: string | number | Uint8Array, from?: number, encoding?: BufferEncoding) => number;
  copy: (this: Buffer, target: Uint8Array, ...places: number[]) => number;
}
interface CountedArray {
  set: (this: Uint8Array, source: ArrayLike<number>, offset?: number) => void;
}
interface CountedStatic {
  concat: (list: readonly Uint8Array[], length?: number) => Buffer;
  from: (source: never, ...more: never[]) => Buffer;
}

const bufferPrototype = Buffer.prototype as unknown as Counted;
const arrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as CountedArray;
const bufferStatic = Buffer as unknown as CountedStatic;

/** What is patched, as it is now. */
export function countedMethods(): (Counted & CountedArray & CountedStatic)[keyof (Counted & CountedArray & CountedStatic)][] {
  return [bufferPrototype.indexOf, bufferPrototype.copy, arrayPrototype.set, bufferStatic.concat, bufferStatic.from];
}

/** Counts what `run` does, through patches of Buffer that are gone afterwards. */
export async function countWork(run: () => Promise<void>): Promise<Work> {
  await turns(10); // the test runner tells of the last test meanwhile, and copies bytes for that
  const work: Work = { searched: 0, copied: 0 };
  const { indexOf, copy } = bufferPrototype;
  const { set } = arrayPrototype;
  const { concat, from } = bufferStatic;

  bufferPrototype.indexOf = function countedIndexOf(value, start = 0, encoding) {
    const found = indexOf.call(this, value, start, encoding);
    work.searched += (found === -1 ? this.length : found + 1) - start;
    return found;
  };
  bufferPrototype.copy = function countedCopy(target, ...places) {
    const copied = copy.call(this, target, ...places);
    work.copied += copied;
    return copied;
  };
  arrayPrototype.set = function countedSet(source, offset) {
    work.copied += source.length;
    set.call(this, source, offset);
  };
  bufferStatic.concat = (list, length) => {
    const joined = concat.call(Buffer, list, length);
    work.copied += joined.length;
    return joined;
  };
  bufferStatic.from = (source, ...more) => {
    const made = from.call(Buffer, source, ...more);
    if (made.buffer !== source) work.copied += made.length;
    return made;
  };

  try {
    await run();
  } finally {
    Object.assign(bufferPrototype, { indexOf, copy });
    Object.assign(arrayPrototype, { set });
    Object.assign(bufferStatic, { concat, from });
  }
  return work;
}
