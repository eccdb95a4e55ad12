/**
 * `ReadPausing`: pauses and resumes the transport, or the source, that feeds a reader.
 *
 * The transport is paused when more than twice the limit is unread, and resumed when the limit or less is. While a read waits, the
 * transport is never paused; otherwise a `readexactly()` of more than twice the limit would wait forever.
 *
 * A source rests while no read waits, so that it does not keep the process alive. A connection rests only if its
 * descriptors were not taken (`holdBack()`).
 */
import { invalidType } from "../base/arguments.js";
import { asError, InvalidStateError } from "../base/errors.js";
import type { Source, Transport } from "../contracts/connection.js";

export class ReadPausing {
  readonly #onError: (error: Error) => void;
  #transport: Transport | null = null;
  #isSource = false;
  #isResting = false;
  /** Whether the transport is paused. */
  isPaused = false;

  /** @param onError receives what the transport's methods throw: they may be the program's, or call it */
  constructor(onError: (error: Error) => void) {
    this.#onError = onError;
  }

  set(transport: Transport): void {
    if (this.#transport !== null) throw new InvalidStateError("cannot set the transport of a StreamReader twice");
    if (typeof transport !== "object" || transport === null) throw invalidType("transport", "a Transport", transport);
    this.#transport = transport;
  }

  setSource(source: Source): void {
    this.set(source as Source & Transport); // no other method of a transport is called
    this.#isSource = true;
  }

  /** Replaces the transport of the connection. The new one is reading. */
  replace(transport: Transport): void {
    this.#transport = transport;
    this.isPaused = false;
  }

  /**
   * Pauses or resumes the transport.
   *
   * @param isWanted whether data is wanted, however much there is
   * @param length the number of bytes that are unread
   */
  regulate(isWanted: boolean, length: number, limit: number): void {
    if (this.#transport === null) return;
    if (this.isPaused) {
      if (!isWanted && (this.#isResting || length > limit)) return;
      this.isPaused = this.#isResting = false;
      this.#control("resumeReading");
    } else if (!isWanted && length > 2 * limit && typeof this.#transport.pauseReading === "function") {
      this.isPaused = true;
      this.#control("pauseReading");
    }
  }

  /** Pauses a source until data is wanted. */
  rest(): void {
    if (!this.#isSource || this.#isResting) return;
    this.#isResting = true;
    if (this.isPaused) return;
    this.isPaused = true;
    this.#control("pauseReading");
  }

  /** Pauses a connection until data is wanted. */
  holdBack(): void {
    this.isPaused = this.#isResting = true;
    this.#control("pauseReading");
  }

  #control(method: "pauseReading" | "resumeReading"): void {
    try {
      this.#transport?.[method]();
    } catch (error) {
      this.#onError(asError(error, `${method}() of a StreamReader's transport threw`));
    }
  }
}
