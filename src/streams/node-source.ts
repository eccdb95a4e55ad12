/**
 * `NodeSource`: feeds a reader from a Readable of `node:stream`, by its events.
 *
 * Not by its async iterator: that destroys the stream at its end, and with it the writing side of a Duplex. Here the end of a source leaves it alone, as EOF leaves a connection.
 */
import type { Readable } from "node:stream";
import type { Data } from "../base/arguments.js";
import { setImmediate } from "../base/scheduling.js";
import { asError } from "../base/thrown.js";
import { TurnBudget } from "../base/turn-budget.js";
import { DONE } from "../base/waiting.js";
import type { Incoming, Source } from "./incoming.js";

/** The methods by which a Readable is driven. `pipe` tells it from other emitters that can be paused, such as an `Interface` of `node:readline`. */
const METHODS = ["on", "removeListener", "pause", "resume", "pipe"] as const;

/** Whether it is a Readable: there are other classes than Node's own. */
export function isReadable(source: unknown): source is Readable {
  return METHODS.every((method) => typeof (source as Partial<Readable> | null | undefined)?.[method] === "function");
}

export class NodeSource implements Source {
  readonly #readable: Readable;
  readonly #incoming: Incoming;
  readonly #budget: TurnBudget = new TurnBudget();
  readonly #listeners: Readonly<Record<string, (value: unknown) => void>> = {
    data: (chunk) => this.#onData(chunk as Data),
    end: () => this.#onEnd(),
    error: (error) => this.#fail(error),
    close: () => this.#fail(prematureClose()),
  };
  /** Whether the reader wants more. */
  #wanted = false;
  /** Whether the event loop has to run first. */
  #held = false;
  /** Whether it has ended, failed, or been given back. */
  #over = false;

  constructor(readable: Readable, incoming: Incoming) {
    this.#readable = readable;
    this.#incoming = incoming;
    if (readable.readableEnded) this.#onEnd();
    else if (readable.destroyed) this.#fail(readable.errored ?? prematureClose());
    else for (const [event, listener] of Object.entries(this.#listeners)) readable.on(event, listener);
  }

  pauseReading(): void {
    this.#wanted = false;
    if (!this.#over) this.#readable.pause();
  }

  resumeReading(): void {
    this.#wanted = true;
    if (!this.#over && !this.#held) this.#readable.resume();
  }

  #onData(chunk: Data): void {
    try {
      this.#incoming.feed(chunk);
    } catch (error) {
      // Not bytes, or the reader was given its end by hand: no use for the rest.
      this.#fail(error);
      void this.#giveBack();
      return;
    }
    this.#budget.spend(chunk.length);
    if (!this.#budget.isSpent) return;
    this.#held = true;
    this.#readable.pause();
    const goOn = (): void => {
      this.#budget.renew();
      this.#held = false;
      if (this.#wanted) this.resumeReading();
    };
    setImmediate(goOn);
  }

  #onEnd(): void {
    this.#stop();
    this.#incoming.feedEof();
  }

  #fail(error: unknown): void {
    this.#stop();
    this.#incoming.failAfterData(asError(error, "the source of a StreamReader threw"));
  }

  #stop(): void {
    this.#over = true;
    for (const [event, listener] of Object.entries(this.#listeners)) this.#readable.removeListener(event, listener);
    this.#readable.on("error", ignore); // what may still come of writing to it has other listeners, or none
  }

  cancel(): Promise<void> {
    if (this.#over) return DONE;
    this.#stop();
    return this.#giveBack();
  }

  /** Destroys a Readable. A Duplex that still writes, and the process's standard input, are paused: they have other users. */
  #giveBack(): Promise<void> {
    const readable: Readable & { readonly fd?: unknown; readonly write?: unknown; readonly writableFinished?: boolean } = this.#readable;
    const writes = typeof readable.write === "function" && readable.writableFinished !== true;
    if (writes || readable.fd === 0 || typeof readable.destroy !== "function") {
      readable.removeListener("error", ignore).pause();
      return DONE;
    }
    return new Promise((resolve) => {
      try {
        readable.once("close", () => resolve()).destroy();
      } catch {
        resolve(); // the source's own affair
      }
    });
  }
}

function ignore(): void {}

/** As Node has it where a stream is closed before its end. */
function prematureClose(): Error {
  return Object.assign(new Error("the source of a StreamReader was closed before it ended"), {
    code: "ERR_STREAM_PREMATURE_CLOSE" as const,
  });
}
