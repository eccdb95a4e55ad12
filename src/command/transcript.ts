/**
 * The transcript of `tap`: what each connection sent and received, as text for people or as lines of JSON.
 *
 * Received bytes never reach the terminal as they are: control characters, and those that change the direction of text, are escaped. So a
 * peer cannot send commands to the terminal, and each line of the transcript is one of ours.
 */
import { hexDump } from "./hex-dump.js";
import { size } from "./progress.js";
import { textLines, textOf } from "./text-view.js";

/** From the client to the target, or from the target to the client. */
export type Direction = "in" | "out";

export const FORMATS = ["auto", "text", "hex", "none"] as const;

export interface TranscriptOptions {
  readonly json: boolean;
  /** The only direction whose bytes are shown; `undefined` for both. */
  readonly only: Direction | undefined;
  readonly format: (typeof FORMATS)[number];
  /** How many bytes of a piece are shown; `undefined` for as many as people read, and for all with `json`. */
  readonly maxBytes: number | undefined;
  readonly isColoured: boolean;
}

/** How much of a piece is shown to people by default. */
const SHOWN_TEXT_BYTES = 4_096;
const SHOWN_HEX_BYTES = 512;

const ARROWS: Readonly<Record<Direction, string>> = { in: ">", out: "<" };
const COLOURS = { in: "36", out: "33", problem: "31", dim: "2" } as const;

export class Transcript {
  readonly #write: (text: string) => Promise<void>;
  readonly #options: TranscriptOptions;

  constructor(write: (text: string) => Promise<void>, options: TranscriptOptions) {
    this.#write = write;
    this.#options = options;
  }

  async opened(connection: number, peer: string): Promise<void> {
    await this.#event(connection, "open", { peer }, `connected: ${peer}`);
  }

  async data(connection: number, direction: Direction, bytes: Buffer): Promise<void> {
    if (!this.#isShown(direction)) return;
    if (!this.#options.json) {
      const head = this.#head(connection, `${ARROWS[direction]} ${size(bytes.length)}`, COLOURS[direction]);
      const lines = this.#content(bytes).map((line) => `    ${this.#painted(line, COLOURS[direction])}\n`);
      return await this.#write(head + lines.join(""));
    }
    const { format, maxBytes } = this.#options;
    const shown = bytes.subarray(0, maxBytes);
    const text = format === "hex" ? null : textOf(shown);
    const content = format === "none" ? {} : text === null ? { base64: shown.toString("base64") } : { text };
    await this.#event(connection, "data", { direction, bytes: bytes.length, ...content }, "");
  }

  #content(bytes: Buffer): string[] {
    const { format, maxBytes } = this.#options;
    if (format === "none") return [];
    const text = format === "hex" ? null : textLines(bytes.subarray(0, maxBytes ?? SHOWN_TEXT_BYTES), format === "text");
    const shown = bytes.subarray(0, maxBytes ?? (text === null ? SHOWN_HEX_BYTES : SHOWN_TEXT_BYTES));
    const lines = text ?? hexDump(shown).trimEnd().split("\n");
    if (shown.length < bytes.length) lines.push(`... and ${size(bytes.length - shown.length)} more (--max-bytes)`);
    return lines;
  }

  async ended(connection: number, direction: Direction): Promise<void> {
    if (this.#isShown(direction)) await this.#event(connection, "end", { direction }, `${ARROWS[direction]} end`, COLOURS[direction]);
  }

  async failed(connection: number, reason: string): Promise<void> {
    await this.#event(connection, "error", { reason }, reason, COLOURS.problem);
  }

  async closed(connection: number, ms: number, bytesIn: number, bytesOut: number): Promise<void> {
    const text = `closed after ${(ms / 1000).toFixed(3)} s: ${size(bytesIn)} in, ${size(bytesOut)} out`;
    await this.#event(connection, "close", { ms: Math.round(ms), in: bytesIn, out: bytesOut }, text);
  }

  async #event(connection: number, event: string, fields: object, text: string, colour?: string): Promise<void> {
    if (!this.#options.json) return await this.#write(this.#head(connection, text, colour));
    await this.#write(`${JSON.stringify({ time: new Date().toISOString(), connection, event, ...fields })}\n`);
  }

  #head(connection: number, text: string, colour: string = ""): string {
    const now = new Date();
    const digits = (value: number, count: number): string => String(value).padStart(count, "0");
    const clock = [now.getHours(), now.getMinutes(), now.getSeconds()].map((value) => digits(value, 2)).join(":");
    const stamp = this.#painted(`${clock}.${digits(now.getMilliseconds(), 3)}`, COLOURS.dim);
    return `${stamp} #${connection} ${this.#painted(text, colour)}\n`;
  }

  #painted(text: string, colour: string): string {
    return this.#options.isColoured && colour !== "" ? `\x1b[${colour}m${text}\x1b[0m` : text;
  }

  #isShown(direction: Direction): boolean {
    return this.#options.only === undefined || this.#options.only === direction;
  }
}

/** Returns whether to use colours: on a terminal, unless `NO_COLOR` is set (https://no-color.org) or the terminal cannot. */
export function isColoured(choice: "auto" | "always" | "never" | undefined): boolean {
  if (choice === "always" || choice === "never") return choice === "always";
  const { NO_COLOR, TERM } = process.env;
  return process.stdout.isTTY && (NO_COLOR ?? "") === "" && TERM !== "dumb";
}
