/** One line that says what is being measured: rewritten on a terminal, and in a log only when a new round begins. */
export class Progress {
  readonly #output = process.stderr;
  #last = "";

  show(text: string): void {
    if (this.#output.isTTY) this.#output.write(`\r\u001B[2K${text}`);
    else {
      const [round = ""] = text.split(": ", 1);
      if (round !== this.#last) this.#output.write(`${round}\n`);
      this.#last = round;
    }
  }

  clear(): void {
    if (this.#output.isTTY) this.#output.write("\r\u001B[2K");
  }
}
