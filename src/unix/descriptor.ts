/** `Descriptor`: an open file, socket or pipe that another process has sent. */
import { InvalidStateError } from "../base/errors.js";
import { OwnedDescriptor } from "../net/owned-descriptor.js";
import { systemFor } from "./system.js";

/**
 * A descriptor that was received from another process. It stays open until it is closed, disposed of, or given to an owner.
 *
 * It is closed in child processes that this process starts (`FD_CLOEXEC`), unless it is passed to them.
 *
 * @example
 * ```ts
 * const [data, [descriptor]] = await receiver.receiveFds(65_536, 1);
 * if (descriptor !== undefined) {
 *   const [reader, writer] = await openUnixConnection(null, { sock: descriptor }); // which owns it now
 * }
 * ```
 */
export class Descriptor extends OwnedDescriptor implements Disposable {
  /** -1 once it is closed or has another owner. */
  #fd: number;

  /**
   * Takes ownership of a descriptor.
   *
   * @param fd an open descriptor
   * @internal
   */
  constructor(fd: number) {
    super();
    this.#fd = fd;
  }

  /**
   * The number of the descriptor, for `node:fs` and for child processes.
   *
   * @throws InvalidStateError if it is closed, or was given away
   */
  get fd(): number {
    if (this.#fd < 0) throw new InvalidStateError("cannot use the descriptor: it is closed, or belongs to another owner");
    return this.#fd;
  }

  /** Whether it is closed, or was given away. */
  get closed(): boolean {
    return this.#fd < 0;
  }

  /**
   * Gives up the descriptor, and returns its number. The caller has to close it.
   *
   * @throws InvalidStateError if it is closed, or was given away
   */
  detach(): number {
    const { fd } = this;
    this.#fd = -1;
    return fd;
  }

  /** Closes the descriptor. Does nothing if it is closed, or was given away. */
  close(): void {
    if (this.#fd >= 0) systemFor("close").close(this.detach());
  }

  /** `using`: closes the descriptor. */
  [Symbol.dispose](): void {
    this.close();
  }
}
