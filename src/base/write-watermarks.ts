/**
 * Decides when a protocol pauses writing and when it resumes. Python's `transports._FlowControlMixin`.
 *
 * Promises: `pauseWriting` and `resumeWriting` alternate, and follow the size of the buffer at every check.
 */
import { checkOptions } from "./arguments.js";
import { waterMarks } from "./limits.js";

/** The receiver of the two calls. */
interface Pausable {
  pauseWriting(): unknown;
  resumeWriting(): unknown;
}

export class WriteWatermarks {
  readonly #defaultHigh: number;
  #high: number;
  #low: number;
  #paused = false;

  /** @param defaultHigh the high-water mark in bytes until another is set */
  constructor(defaultHigh: number) {
    this.#defaultHigh = defaultHigh;
    ({ high: this.#high, low: this.#low } = waterMarks(undefined, undefined, defaultHigh));
  }

  /** Whether the protocol is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** The high-water mark in bytes. */
  get high(): number {
    return this.#high;
  }

  /** The water marks in bytes, in Python's order. */
  get limits(): [low: number, high: number] {
    return [this.#low, this.#high];
  }

  /** Sets the water marks. */
  setLimits(limits: { readonly high?: number; readonly low?: number } | undefined): void {
    checkOptions("limits", limits);
    ({ high: this.#high, low: this.#low } = waterMarks(limits?.high, limits?.low, this.#defaultHigh));
  }

  /** Calls `pauseWriting()` or `resumeWriting()` if the buffer's size requires it, and returns the result. */
  check(size: number, protocol: Pausable): unknown {
    if (this.#paused ? size > this.#low : size <= this.#high) return undefined;
    this.#paused = !this.#paused;
    return this.#paused ? protocol.pauseWriting() : protocol.resumeWriting();
  }
}
