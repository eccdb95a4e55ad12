/**
 * The standard output of the command. Waiting for `write()` passes the back-pressure of its reader on.
 *
 * A reader that has ended, such as `head -1`, ends the command without a message, as SIGPIPE ends other programs.
 */
import type { StreamWriter } from "../index.js";
import { connectWritePipe } from "../process/index.js";
import { codeOf, EXIT, Failure, reasonOf } from "./failure.js";

export class Output {
  /** Opened by the first write: until then, the command may be refused. */
  #writer: StreamWriter | null = null;

  /** @throws Failure without a message if the reader of the output has ended, otherwise with the reason */
  async write(data: string | Uint8Array): Promise<void> {
    await this.#attempt(async (writer) => {
      writer.write(data);
      await writer.drain();
    });
  }

  /** Waits until everything has been passed to the system. */
  async flush(): Promise<void> {
    await this.#attempt((writer) => writer.flush());
  }

  async #attempt(action: (writer: StreamWriter) => Promise<void>): Promise<void> {
    try {
      await action((this.#writer ??= connectWritePipe(process.stdout)));
    } catch (error) {
      if (codeOf(error) === "EPIPE") throw new Failure("", EXIT.brokenPipe);
      throw new Failure(`cannot write to the standard output: ${reasonOf(error)}`, undefined, error);
    }
  }
}

/** Prints a line for the user, which is no part of the output. */
export function say(text: string): void {
  process.stderr.write(`asyncio-streams: ${text}\n`);
}
