/** What a `StreamReader` does, in its plainest form: one `Buffer`, searched from its start each time. */

/** A reading call. */
export type Call =
  | { readonly name: "read"; readonly n: number }
  | { readonly name: "readexactly"; readonly n: number }
  | { readonly name: "readuntil"; readonly separators: readonly string[] }
  | { readonly name: "readline" };

/** The model; what a call gives is shown as text. */
export class ModelReader {
  buffer: Buffer = Buffer.alloc(0);
  ended: "" | "eof" | "lost" = "";
  exception = false;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What the call gives; `undefined` if it has to wait. */
  attempt(call: Call): string | undefined {
    if (this.exception) return "Error set";
    return this.#answer(call) ?? (this.ended === "lost" ? "Error lost" : undefined);
  }

  #take(count: number): string {
    const taken = this.buffer.subarray(0, count).toString("latin1");
    this.buffer = this.buffer.subarray(count);
    return JSON.stringify(taken);
  }

  #answer(call: Call): string | undefined {
    const { length } = this.buffer;
    const eof = this.ended === "eof";
    if (call.name === "readline") return this.#line();
    if (call.name === "readuntil") return this.#until(call.separators);
    if (call.name === "readexactly") {
      return length >= call.n ? this.#take(call.n) : eof ? `IncompleteReadError ${this.#take(length)} of ${call.n}` : undefined;
    }
    if (call.n < 0) return eof ? this.#take(length) : undefined;
    return call.n === 0 || length > 0 || eof ? this.#take(call.n) : undefined;
  }

  #until(separators: readonly string[]): string | undefined {
    const { length } = this.buffer;
    const matches = separators
      .map((separator) => ({ start: this.buffer.indexOf(separator), size: separator.length }))
      .filter(({ start }) => start !== -1)
      .sort((a, b) => a.start + a.size - b.start - b.size || a.size - b.size);
    if (matches[0] !== undefined) {
      const { start, size } = matches[0];
      return start > this.#limit ? `LimitOverrunError ${start}` : this.#take(start + size);
    }
    const seen = length + 1 - Math.max(...separators.map((separator) => separator.length));
    if (seen > this.#limit) return `LimitOverrunError ${seen}`;
    return this.ended === "eof" ? `IncompleteReadError ${this.#take(length)} of null` : undefined;
  }

  #line(): string | undefined {
    const { buffer } = this;
    const answer = this.#until(["\n"]);
    if (answer?.startsWith("IncompleteReadError")) return answer.slice("IncompleteReadError ".length, -" of null".length);
    if (!answer?.startsWith("LimitOverrunError")) return answer;
    const newline = buffer.indexOf("\n");
    const dropped = newline === -1 ? buffer.length : newline + 1;
    this.#take(dropped);
    return `LineTooLongError ${dropped}`;
  }
}
