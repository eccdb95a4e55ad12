/**
 * `NodeSource`: feeds a reader from the events of a Readable of `node:stream`.
 *
 * It does not use the async iterator, which destroys the stream at its end, including the writable side of a Duplex. Here the source
 * stays usable after its end, like a connection after EOF.
 */
import type { Readable } from "node:stream";
import type { Data } from "../base/arguments.js";
import { asError, ignore } from "../base/errors.js";
import { setImmediate, TurnBudget } from "../base/scheduling.js";
import { DONE } from "../base/waiting.js";
import type { Source } from "../contracts/connection.js";
import type { ReadEngine } from "./read-engine.js";

/** The methods that identify a Readable. `pipe` excludes other emitters that can be paused, such as an `Interface` of `node:readline`. */
const METHODS = ["on", "removeListener", "pause", "resume", "pipe"] as const;

/** Returns whether `source` is a Readable. Checks methods, because not every Readable is an instance of Node's own class. */
export function isReadable(source: unknown): source is Readable {
  return METHODS.every((method) => typeof (source as Partial<Readable> | null | undefined)?.[method] === "function");
}

export class NodeSource implements Source {
  readonly #readable: Readable;
  readonly #engine: ReadEngine;
  readonly #budget: TurnBudget = new TurnBudget();
  readonly #listeners: Readonly<Record<string, (value: unknown) => void>> = {
    data: (chunk) => this.#onData(chunk as Data),
    end: () => this.#onEnd(),
    error: (error) => this.#fail(error),
    close: () => this.#fail(prematureClose()),
  };
  /** Whether the reader wants more data. */
  #wanted = false;
  /** Whether the source is paused until the event loop has run. */
  #held = false;
  /** Whether the source has ended, failed, or been released. */
  #over = false;

  constructor(readable: Readable, engine: ReadEngine) {
    this.#readable = readable;
    this.#engine = engine;
    if (readable.readableEnded) this.#onEnd();
    else if (readable.destroyed) this.#fail(readable.errored ?? prematureClose());
    else for (const [event, listener] of Object.entries(this.#listeners)) readable.on(event, listener);
  }

  pauseReading(): void {
    this.#wanted = false;
    this.#control("pause");
  }

  resumeReading(): void {
    this.#wanted = true;
    if (!this.#held) this.#control("resume");
  }

  /** Pauses or resumes the Readable. A listener of the program may throw, which is a failure of the source. */
  #control(method: "pause" | "resume"): void {
    if (this.#over) return;
    try {
      this.#readable[method]();
    } catch (error) {
      this.#fail(error);
    }
  }

  #onData(chunk: Data): void {
    try {
      this.#engine.feed(chunk);
    } catch (error) {
      // The chunk is not bytes, or the program called `feedEof()`: the rest of the source is of no use.
      this.#fail(error);
      void this.#giveBack();
      return;
    }
    // Runtimes resume the outputs of a child that has exited, although a grandchild may still write to them.
    if (!this.#wanted) this.#control("pause");
    this.#budget.spend(chunk.length);
    if (!this.#budget.isSpent) return;
    this.#held = true;
    this.#control("pause");
    const goOn = (): void => {
      this.#budget.renew();
      this.#held = false;
      if (this.#wanted) this.resumeReading();
    };
    setImmediate(goOn);
  }

  #onEnd(): void {
    this.#stop();
    this.#engine.feedEof();
  }

  #fail(error: unknown): void {
    this.#stop();
    this.#engine.failAfterData(asError(error, "the source of a StreamReader threw"));
  }

  #stop(): void {
    this.#over = true;
    for (const [event, listener] of Object.entries(this.#listeners)) this.#readable.removeListener(event, listener);
    this.#readable.on("error", ignore); // errors of writing to the source are for other listeners, or ignored
  }

  cancel(): Promise<void> {
    if (this.#over) return DONE;
    this.#stop();
    return this.#giveBack();
  }

  /** Destroys a Readable. A Duplex that can still write, and the process's standard input, are only paused: they have other users. */
  #giveBack(): Promise<void> {
    const readable: Readable & { readonly fd?: unknown; readonly write?: unknown; readonly writableFinished?: boolean } = this.#readable;
    const writes = typeof readable.write === "function" && readable.writableFinished !== true;
    return new Promise((resolve) => {
      try {
        if (writes || readable.fd === 0 || typeof readable.destroy !== "function") {
          readable.removeListener("error", ignore).pause();
          resolve();
        } else readable.once("close", () => resolve()).destroy();
      } catch {
        resolve(); // errors of the source's cleanup are ignored
      }
    });
  }
}

/** Returns the error that Node reports for a stream that is closed before its end. */
function prematureClose(): Error {
  return Object.assign(new Error("the source of a StreamReader was closed before it ended"), {
    code: "ERR_STREAM_PREMATURE_CLOSE" as const,
  });
}
