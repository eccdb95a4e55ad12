/** `System`: system calls on descriptors. Results below 0 are error numbers, as in libuv. */
import { InvalidStateError } from "../base/errors.js";
import type { Libc } from "./libc.js";

/** Bytes of an `int`, and of a `socklen_t`. */
const INT_BYTES = 4;

/** -EINTR */
const INTERRUPTED = -4;

/** The calls of this process. One object serves the whole process, and its memory is used within one call only. */
export class System {
  readonly #libc: Libc;
  readonly #length: DataView<ArrayBuffer> = new DataView(new ArrayBuffer(INT_BYTES));
  readonly #lengthBytes: Uint8Array = new Uint8Array(this.#length.buffer);

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Calls again while a signal interrupts the call. */
  #call(call: () => number): number {
    for (;;) {
      const result = call();
      if (result >= 0) return result;
      const error = -this.#libc.errno();
      if (error !== INTERRUPTED) return error;
    }
  }

  /**
   * Reads a socket option.
   *
   * @param value memory of `stableMemory()` that receives the value
   * @returns the length of the value; if `value` is too short, -ERANGE with the length in `needed`, or a part of the value
   */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
    const { getsockopt } = this.#libc.functions;
    const result = this.#call(() => {
      this.#length.setInt32(0, value.length, true);
      return getsockopt(fd, level, name, value, this.#lengthBytes);
    });
    return result < 0 ? result : this.needed;
  }

  /** The length that the kernel reported in the last `getsockopt()`. */
  get needed(): number {
    return this.#length.getInt32(0, true);
  }
}

let loaded: System | null = null;

/** Sets the calls that the functions of this entry use. */
export function setSystem(libc: Libc): System {
  loaded = new System(libc);
  return loaded;
}

/**
 * Returns the system calls.
 *
 * @param call the public call that needs them
 * @throws InvalidStateError if `loadUnix()` was not called
 */
export function systemFor(call: string): System {
  if (loaded === null) throw new InvalidStateError(`cannot ${call}(): call loadUnix() first, and wait for it`);
  return loaded;
}
