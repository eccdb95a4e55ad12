/**
 * `LineBatch`: takes all complete lines at once, for `readlines()` and `lineBatches()`.
 *
 * The lines are those that `readline()` would return one after the other. A line over the limit ends the batch, and is the error of the
 * next call. So no line is lost. The rest of the stream at EOF, without a newline, is a batch of its own.
 */
import type { NonSharedBuffer } from "../base/bytes.js";
import { LimitOverrunError } from "../base/errors.js";
import { NEWLINE_BYTE } from "../base/memory.js";
import { dropLine, LINE_END, LINE_ENDS, lineAttempt, messageAttempt, type Step, withoutNewline } from "./attempts.js";
import type { Attempt, ReadEngine } from "./read-engine.js";
import { TextLines } from "./text-lines.js";

/** How the lines are returned. */
export interface LineForm {
  /** The longest line in bytes, without its newline. */
  readonly limit: number;
  /** Whether a line includes its newline. */
  readonly keepSeparator: boolean;
  /** The encoding of text; `undefined` for bytes. */
  readonly encoding: BufferEncoding | undefined;
}

/** Lines of text or of bytes, never of both. */
export type Lines = string[] | NonSharedBuffer[];

export class LineBatch implements Attempt<Lines> {
  readonly #engine: ReadEngine;
  readonly #form: LineForm;
  readonly #text: TextLines | null;
  /** The regular attempt, for a line that spans chunks. */
  readonly #regular: Attempt<NonSharedBuffer>;

  constructor(engine: ReadEngine, form: LineForm) {
    const { limit, keepSeparator, encoding } = form;
    this.#engine = engine;
    this.#form = form;
    this.#text = encoding === undefined ? null : new TextLines(engine.queue, limit, encoding, keepSeparator);
    this.#regular = messageAttempt(engine, LINE_END, { limit, keepSeparator: true, partialAtEof: true });
  }

  /** Takes the lines that are there, at least one. Returns an empty list at EOF, `undefined` if there is no complete line. */
  run(): Lines | undefined {
    const lines: (string | NonSharedBuffer)[] = [];
    do this.#takeQuickly(lines);
    while (this.#takeRegularly(lines));
    return lines.length > 0 || this.#atEnd ? (lines as Lines) : undefined;
  }

  get #atEnd(): boolean {
    return this.#engine.eof && this.#engine.queue.length === 0;
  }

  /** Takes the lines that lie in one chunk. */
  #takeQuickly(lines: (string | NonSharedBuffer)[]): void {
    const { queue } = this.#engine;
    if (this.#text !== null) {
      this.#text.takeAll(lines as string[]);
      return;
    }
    const { limit, keepSeparator } = this.#form;
    for (;;) {
      const line = keepSeparator ? queue.takeThroughByte(NEWLINE_BYTE, limit) : queue.takeThrough(LINE_ENDS, limit, false);
      if (line === undefined) return;
      lines.push(line);
    }
  }

  /** Takes one line of any form. Returns whether others may follow. */
  #takeRegularly(lines: (string | NonSharedBuffer)[]): boolean {
    const { eof, queue } = this.#engine;
    if (queue.length === 0) return false;
    if (eof && lines.length > 0 && queue.indexOf(LINE_END.list[0] as Uint8Array) === -1) return false; // the rest is a batch of its own
    let line: NonSharedBuffer | undefined;
    try {
      line = this.#regular.run();
    } catch (error) {
      if (lines.length > 0) return false; // the error of the next call
      throw error instanceof LimitOverrunError ? dropLine(this.#engine, error, this.#form.limit) : error;
    }
    if (line === undefined) return false;
    const { keepSeparator, encoding } = this.#form;
    const wanted = keepSeparator ? line : withoutNewline(line);
    lines.push(encoding === undefined ? wanted : wanted.toString(encoding));
    return true;
  }
}

/** Reads one line after the other, for `lines()`. */
export function lineStep(engine: ReadEngine, { limit, keepSeparator, encoding }: LineForm): Step<string | NonSharedBuffer> {
  const { queue } = engine;
  const traits = { limit, keepSeparator: true };
  const attempt = (): Attempt<NonSharedBuffer> => lineAttempt(engine, traits);
  if (encoding === undefined) {
    const separators = keepSeparator ? LINE_END : LINE_ENDS;
    const atHand = (): NonSharedBuffer | undefined => queue.takeThrough(separators, limit, keepSeparator);
    return { atHand, attempt, convert: (line) => (keepSeparator ? line : withoutNewline(line)) };
  }
  const text = new TextLines(queue, limit, encoding, keepSeparator);
  const convert = (line: NonSharedBuffer): string => (keepSeparator ? line : withoutNewline(line)).toString(encoding);
  return { atHand: () => text.take(), attempt, convert };
}

/** Reads one batch of lines after the other, for `lineBatches()`. */
export function batchStep(engine: ReadEngine, form: LineForm): Step<Lines, Lines> {
  const batch = new LineBatch(engine, form);
  return { atHand: () => undefined, attempt: () => batch, convert: (lines) => lines };
}
