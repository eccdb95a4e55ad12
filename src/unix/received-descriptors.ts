/**
 * `ReceivedDescriptors`: the descriptors that a connection has received and the program has not taken.
 *
 * They belong to the connection. They are closed when the program closes or aborts it, and at the latest when the reader is collected.
 */
import { Descriptor } from "./descriptor.js";
import type { System } from "./system.js";

/** Closes descriptors whose reader is gone. Receives what closes them. */
const abandoned = new FinalizationRegistry<() => void>((closeAll) => closeAll());

export class ReceivedDescriptors {
  readonly #fds: number[] = [];
  readonly #closeAll: () => void;
  #isClosed = false;

  constructor(system: System) {
    const fds = this.#fds;
    this.#closeAll = () => {
      for (const fd of fds.splice(0)) system.close(fd);
    };
    abandoned.register(this, this.#closeAll);
  }

  /** The number of descriptors. */
  get count(): number {
    return this.#fds.length;
  }

  /** Adds descriptors. Closes them if the connection is closed. */
  push(fds: readonly number[]): void {
    this.#fds.push(...fds);
    if (this.#isClosed) this.#closeAll();
  }

  /** Removes and returns the first descriptors. */
  take(count: number): Descriptor[] {
    return this.#fds.splice(0, count).map((fd) => new Descriptor(fd));
  }

  /** Closes all descriptors, and those that are still received. */
  close(): void {
    this.#isClosed = true;
    this.#closeAll();
  }
}
