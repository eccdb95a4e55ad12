/** `--crlf`: a line feed becomes a carriage return and a line feed, unless a carriage return is before it already. */

const LF = 0x0a;
const CR = 0x0d;

export class LineEnds {
  #isAfterCr = false;

  /** Converts the next bytes of a stream. Returns the same bytes if there is nothing to convert. */
  convert(bytes: Uint8Array): Uint8Array {
    let bare = 0;
    let isAfterCr = this.#isAfterCr;
    for (const byte of bytes) {
      if (byte === LF && !isAfterCr) bare += 1;
      isAfterCr = byte === CR;
    }
    const result = bare === 0 ? bytes : this.#insert(bytes, bare);
    this.#isAfterCr = isAfterCr;
    return result;
  }

  #insert(bytes: Uint8Array, count: number): Uint8Array {
    const result = new Uint8Array(bytes.length + count);
    let isAfterCr = this.#isAfterCr;
    let at = 0;
    for (const byte of bytes) {
      if (byte === LF && !isAfterCr) {
        result[at] = CR;
        at += 1;
      }
      result[at] = byte;
      at += 1;
      isAfterCr = byte === CR;
    }
    return result;
  }
}
