/**
 * `TextLines`: takes lines as text, for `lines({ encoding })` and `readlines({ encoding })`.
 *
 * Theory of operation
 *
 * A call of the runtime's decoder costs more than the rest of a short line. So a block of complete lines is decoded at once, as long as
 * each byte of the block is one UTF-16 unit. Then the same positions count in the bytes and in the text, and a line is a slice of the text.
 * This is so for ASCII. Other text is decoded line by line.
 *
 * The bytes stay in the queue until their line is taken, so that any other read may come between two lines. A decoded block is therefore
 * valid for a range of the stream (`taken`), and as long as nothing is put back in front of it.
 *
 * A slice keeps its block alive, which is why blocks are short.
 */
import type { ByteQueue } from "../base/byte-queue.js";
import { NEWLINE_BYTE } from "../base/memory.js";

const CARRIAGE_RETURN = 0x0d;

/** What a decoder puts in the place of bytes that are not correct. Text may also contain it. */
export const REPLACEMENT = "\ufffd";

/** Size of a block. It is all that a line of text can keep alive. */
const BLOCK_BYTES = 4096;
/** A block of fewer bytes does not pay. */
const MIN_BLOCK_BYTES = 256;

/**
 * Encodings in which a byte can be one UTF-16 unit, and only the byte of a newline becomes one. Not `ascii`, which also decodes 0x8a as
 * a newline.
 */
const ENCODINGS: ReadonlySet<string> = new Set(["utf8", "utf-8", "latin1", "binary"]);

export class TextLines {
  readonly #queue: ByteQueue;
  readonly #limit: number;
  readonly #encoding: BufferEncoding;
  readonly #keepSeparator: boolean;
  readonly #hasBlocks: boolean;
  #block = "";
  /** Whether the block has no replacement character. Each byte that is not correct becomes one, which is one unit, too. */
  #isCorrect = false;
  /** Whether the block can be split at its newlines. */
  #isSplittable = false;
  /** The range of the stream that the block was made from, or for which no block can be made. */
  #start = 0;
  #end = 0;
  #putBack = 0;

  /** @param limit the longest line in bytes, without its newline */
  constructor(queue: ByteQueue, limit: number, encoding: BufferEncoding, keepSeparator: boolean) {
    this.#queue = queue;
    this.#limit = limit;
    this.#encoding = encoding;
    this.#keepSeparator = keepSeparator;
    this.#hasBlocks = ENCODINGS.has(encoding.toLowerCase());
  }

  /** Takes the next line if it is within the limit and in the first chunk. Otherwise returns `undefined`. */
  take(): string | undefined {
    const queue = this.#queue;
    if (this.#hasBlocks && queue.taken >= this.#end) this.#decode();
    const at = queue.taken - this.#start;
    if (this.#block !== "" && at >= 0 && queue.putBack === this.#putBack) return this.#takeSlice(at);
    return queue.takeTextThroughByte(NEWLINE_BYTE, this.#limit, this.#encoding, this.#keepSeparator, CARRIAGE_RETURN);
  }

  /**
   * Returns the next line with its newline, without taking it, if it is in a block whose text has no replacement character: each byte of it
   * is one UTF-16 unit, and is correct in the encoding.
   */
  peek(): string | undefined {
    const queue = this.#queue;
    if (queue.taken >= this.#end) this.#decode();
    const at = queue.taken - this.#start;
    if (this.#block === "" || !this.#isCorrect || at < 0 || queue.putBack !== this.#putBack) return undefined;
    return this.#block.slice(at, this.#block.indexOf("\n", at) + 1);
  }

  /** Takes all lines that `take()` can take. */
  takeAll(lines: string[]): void {
    for (let line = this.take(); line !== undefined; line = this.take()) {
      lines.push(line);
      if (this.#isSplittable) this.#takeBlock(lines);
    }
  }

  /** Takes the rest of the block at once. */
  #takeBlock(lines: string[]): void {
    const queue = this.#queue;
    const at = queue.taken - this.#start;
    const rest = this.#block.length - at;
    if (at <= 0 || rest <= 0 || rest > this.#limit || queue.putBack !== this.#putBack || !queue.trySkip(rest)) return;
    const found = this.#block.slice(at, -1).split("\n");
    for (const line of found) lines.push(line);
  }

  #takeSlice(at: number): string | undefined {
    const block = this.#block;
    const found = block.indexOf("\n", at);
    if (found - at > this.#limit || !this.#queue.trySkip(found + 1 - at)) return undefined;
    if (this.#keepSeparator) return block.slice(at, found + 1);
    return block.slice(at, found > at && block.charCodeAt(found - 1) === CARRIAGE_RETURN ? found - 1 : found);
  }

  #decode(): void {
    const queue = this.#queue;
    const count = queue.endOfLast(NEWLINE_BYTE, BLOCK_BYTES);
    this.#putBack = queue.putBack;
    this.#start = queue.taken;
    this.#end = this.#start + Math.max(1, count);
    const text = count < MIN_BLOCK_BYTES ? "" : queue.textOf(count, this.#encoding);
    this.#block = text.length === count ? text : "";
    this.#isCorrect = !this.#block.includes(REPLACEMENT);
    this.#isSplittable = this.#block !== "" && !this.#keepSeparator && !text.includes("\r");
  }
}
