/**
 * When a protocol is told to stop writing, and when to go on. Python's `transports._FlowControlMixin`.
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

export class FlowControl {
  readonly #defaultHigh: number;
  #high: number;
  #low: number;
  #paused = false;

  /** @param defaultHigh the high-water mark in bytes, unless another is set */
  constructor(defaultHigh: number) {
    this.#defaultHigh = defaultHigh;
    ({ high: this.#high, low: this.#low } = waterMarks(undefined, undefined, defaultHigh));
  }

  /** Whether the protocol has been told to stop. */
  get paused(): boolean {
    return this.#paused;
  }

  /** The high-water mark in bytes. */
  get high(): number {
    return this.#high;
  }

  /** The marks in bytes, in Python's order. */
  get limits(): [low: number, high: number] {
    return [this.#low, this.#high];
  }

  /** Sets the marks. */
  setLimits(limits: { readonly high?: number; readonly low?: number } | undefined): void {
    checkOptions("limits", limits);
    ({ high: this.#high, low: this.#low } = waterMarks(limits?.high, limits?.low, this.#defaultHigh));
  }

  /** Tells the protocol, if the buffer's size calls for it; returns what it returned. */
  check(size: number, protocol: Pausable): unknown {
    if (this.#paused ? size > this.#low : size <= this.#high) return undefined;
    this.#paused = !this.#paused;
    return this.#paused ? protocol.pauseWriting() : protocol.resumeWriting();
  }
}
