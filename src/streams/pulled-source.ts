/**
 * `pullFrom()`: feeds a reader from an async iterable. What `StreamReader.from()` is made of.
 *
 * It stands where a connection has its transport, so that the reader slows the source as it would slow a peer: nothing is asked for while
 * more than twice the limit is unread. A source that throws is like a connection that is lost: what came before is read first.
 */
import { type Data, invalidType } from "../base/arguments.js";
import { asError } from "../base/thrown.js";
import type { Transport } from "../contracts/connection.js";
import type { Incoming } from "./incoming.js";

/** Feeds `incoming` with what `source` gives, from now on. */
export function pullFrom(source: AsyncIterable<Data>, incoming: Incoming): void {
  if (typeof (source as Partial<AsyncIterable<Data>> | null | undefined)?.[Symbol.asyncIterator] !== "function") {
    throw invalidType("source", "a Readable, a ReadableStream or another async iterable", source);
  }
  const puller = new Puller(source[Symbol.asyncIterator](), incoming);
  incoming.setTransport(puller as Pick<Transport, "pauseReading" | "resumeReading"> as Transport); // a reader calls nothing else
  puller.resumeReading();
}

class Puller implements Pick<Transport, "pauseReading" | "resumeReading"> {
  readonly #iterator: AsyncIterator<Data>;
  readonly #incoming: Incoming;
  #paused = true;
  /** It runs, or has run to the end. */
  #pulling = false;

  constructor(iterator: AsyncIterator<Data>, incoming: Incoming) {
    this.#iterator = iterator;
    this.#incoming = incoming;
  }

  pauseReading(): void {
    this.#paused = true;
  }

  resumeReading(): void {
    this.#paused = false;
    if (!this.#pulling) void this.#pull();
  }

  async #pull(): Promise<void> {
    this.#pulling = true;
    while (!this.#paused) {
      let result: IteratorResult<Data, unknown>;
      try {
        result = await this.#iterator.next();
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (result.done === true) {
        this.#incoming.feedEof();
        return;
      }
      try {
        this.#incoming.feed(result.value);
      } catch (error) {
        // Not bytes, or the reader was given its end by hand: no use for the rest.
        this.#fail(error);
        this.#release();
        return;
      }
    }
    this.#pulling = false;
  }

  #fail(error: unknown): void {
    this.#incoming.failAfterData(asError(error, "the source of a StreamReader threw"));
  }

  /** Lets the source clean up; whatever that brings, the reader has its error already. */
  #release(): void {
    Promise.resolve(this.#iterator.return?.()).catch(() => {});
  }
}
