/** Clients that connect to a path without pause, each for one question, and note everything that goes wrong. */
import { ask } from "./answering.js";

export class Clients implements AsyncDisposable {
  /** How often each server has answered. */
  readonly answers: Map<string, number> = new Map();
  /** Refusals, resets, wrong answers. */
  readonly failures: string[] = [];
  readonly #path: string;
  readonly #loops: readonly Promise<void>[];
  #stopped = false;
  #questions = 0;

  constructor(path: string, count: number = 4) {
    this.#path = path;
    this.#loops = Array.from({ length: count }, () => this.#loop());
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      this.#questions += 1;
      const question = `${this.#questions}`;
      try {
        const [server = "", echoed] = (await ask(this.#path, question)).split(" ");
        if (echoed !== question)
          this.failures.push(`asked ${question}, was answered ${JSON.stringify(echoed)} by ${JSON.stringify(server)}`);
        this.answers.set(server, (this.answers.get(server) ?? 0) + 1);
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }

  /** How often anybody has answered. */
  get total(): number {
    return [...this.answers.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Stops them, and waits for those who are under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }
}
