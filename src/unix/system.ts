/**
 * `System`: the system calls of this entry. Results below 0 are error numbers, as in libuv.
 *
 * Linux on x64 and arm64: the numbers and layouts below are the same on both, except for `struct epoll_event`.
 */

import type { NonSharedBuffer } from "../base/bytes.js";
import { InvalidStateError } from "../base/errors.js";
import { CHUNK_BYTES } from "../base/limits.js";
import { allocate } from "../base/memory.js";
import type { UnixPath } from "../net/socket-file/unix-path.js";
import { type Libc, stableMemory, type WaitForEvents } from "./libc.js";

/** Bytes of an `int`, and of a `socklen_t`. */
const INT_BYTES = 4;

/** Errors that are handled here or by the callers. */
export const EINTR: number = -4;
export const EAGAIN: number = -11;
export const ETOOMANYREFS: number = -109;

export const SOL_SOCKET = 1;
export const AF_UNIX = 1;
export const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
/** `SOCK_CLOEXEC | SOCK_NONBLOCK` */
const SOCK_FLAGS = 0o2004000;
const SOCK_CLOEXEC = 0o2000000;
const F_DUPFD_CLOEXEC = 1030;
const SHUT_WR = 1;
const SCM_RIGHTS = 1;
/** `MSG_DONTWAIT | MSG_NOSIGNAL` */
const SEND_FLAGS = 0x40 | 0x4000;
/** `MSG_DONTWAIT | MSG_CMSG_CLOEXEC` */
const RECEIVE_FLAGS = 0x40 | 0x4000_0000;
const MSG_CTRUNC = 8;
const EPOLL_CLOEXEC = 0o2000000;
/** `EFD_CLOEXEC | EFD_NONBLOCK` */
const EVENTFD_FLAGS = 0o2004000;

/** Operations of `epoll_ctl()`, and its events. */
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 1;
export const EPOLLOUT = 4;

/** `struct epoll_event` is packed on x64. */
export const EVENT_BYTES: number = process.arch === "x64" ? 12 : 16;
const EVENT_DATA_AT = EVENT_BYTES - 8;

/** The descriptors that Linux passes in one message at most: `SCM_MAX_FD`. */
export const MAX_FDS = 253;

/** `struct cmsghdr`, and the descriptors behind it. */
const CMSG_BYTES = 16;
const CONTROL_BYTES = CMSG_BYTES + INT_BYTES * (MAX_FDS + 1);

/** The offsets in `struct msghdr`. */
const MSGHDR_BYTES = 56;
const AT_IOV = 16;
const AT_IOVLEN = 24;
const AT_CONTROL = 32;
const AT_CONTROLLEN = 40;
const AT_FLAGS = 48;
const IOVEC_BYTES = 16;

/** What `receive()` returns. */
export interface Received {
  /** The number of bytes, or an error number; 0 at EOF. */
  readonly count: number;
  readonly fds: readonly number[];
  /** Whether the kernel has dropped descriptors, because this process may open no more. */
  readonly isCut: boolean;
}

const NO_FDS: readonly number[] = [];

/** The calls of this process. One object serves the whole process, and its memory is used within one call only. */
export class System {
  readonly #libc: Libc;
  readonly #lengthBytes: Uint8Array = stableMemory(INT_BYTES);
  readonly #length: DataView = new DataView(this.#lengthBytes.buffer);
  readonly #pair: Uint8Array = stableMemory(2 * INT_BYTES);
  readonly #event: Uint8Array = stableMemory(EVENT_BYTES);
  readonly #counter: Uint8Array = stableMemory(8);
  /** The bytes of a message, and what describes it. Addresses refer from one to the other, so all are kept here. */
  readonly #block: Uint8Array = stableMemory(CHUNK_BYTES);
  readonly #iovBytes: Uint8Array = stableMemory(IOVEC_BYTES);
  readonly #controlBytes: Uint8Array = stableMemory(CONTROL_BYTES);
  readonly #headerBytes: Uint8Array = stableMemory(MSGHDR_BYTES);
  readonly #iov: DataView = new DataView(this.#iovBytes.buffer);
  readonly #control: DataView = new DataView(this.#controlBytes.buffer);
  readonly #header: DataView = new DataView(this.#headerBytes.buffer);
  readonly #controlAddress: bigint;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#controlAddress = libc.addressOf(this.#controlBytes);
    this.#iov.setBigUint64(0, libc.addressOf(this.#block), true);
    this.#header.setBigUint64(AT_IOV, libc.addressOf(this.#iovBytes), true);
    this.#header.setBigUint64(AT_IOVLEN, 1n, true);
  }

  /** Calls again while a signal interrupts the call. */
  #call(call: () => number): number {
    for (;;) {
      const result = call();
      if (result >= 0) return result;
      const error = -this.#libc.errno();
      if (error !== EINTR) return error;
    }
  }

  // ---- sockets -----------------------------------------------------------------------------------------------------------------

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

  /** Reads a socket option that is an `int`; returns `null` if it cannot be read. */
  intOption(fd: number, level: number, name: number): number | null {
    const value = stableMemory(INT_BYTES);
    return this.getsockopt(fd, level, name, value) === INT_BYTES ? new DataView(value.buffer).getInt32(0, true) : null;
  }

  /** Sets a socket option. @param value memory of `stableMemory()` */
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
    return this.#call(() => this.#libc.functions.setsockopt(fd, level, name, value, value.length));
  }

  /** Creates a Unix stream socket. */
  socket(): number {
    return this.#call(() => this.#libc.functions.socket(AF_UNIX, SOCK_STREAM | SOCK_FLAGS, 0));
  }

  /** Creates a Unix datagram socket. */
  datagramSocket(): number {
    return this.#call(() => this.#libc.functions.socket(AF_UNIX, SOCK_DGRAM | SOCK_FLAGS, 0));
  }

  /** Connects a socket. @param address a `struct sockaddr` in memory of `stableMemory()` */
  connect(fd: number, address: Uint8Array): number {
    return this.#call(() => this.#libc.functions.connect(fd, address, address.length));
  }

  /** Creates two connected Unix stream sockets, which block as a child process expects; returns an error number if it cannot. */
  socketpair(): readonly [number, number] | number {
    const result = this.#call(() => this.#libc.functions.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, this.#pair));
    if (result < 0) return result;
    const pair = new DataView(this.#pair.buffer);
    return [pair.getInt32(0, true), pair.getInt32(INT_BYTES, true)];
  }

  /** Ends the writing side. */
  shutdown(fd: number): number {
    return this.#call(() => this.#libc.functions.shutdown(fd, SHUT_WR));
  }

  // ---- descriptors -------------------------------------------------------------------------------------------------------------

  /** Duplicates a descriptor. The new one is not inherited by child processes. */
  duplicate(fd: number): number {
    return this.#call(() => this.#libc.functions.fcntl(fd, F_DUPFD_CLOEXEC, 3));
  }

  /** Closes a descriptor. Linux has released it even if a signal interrupts the call. */
  close(fd: number): void {
    this.#libc.functions.close(fd);
  }

  // ---- messages ----------------------------------------------------------------------------------------------------------------

  /**
   * Sends bytes, as many as fit into a block and into the socket, with descriptors.
   *
   * @returns the number of bytes that were sent, or an error number
   */
  send(fd: number, bytes: Uint8Array, fds: readonly number[] | null): number {
    const count = Math.min(bytes.length, this.#block.length);
    this.#block.set(count === bytes.length ? bytes : bytes.subarray(0, count));
    const control = fds === null ? 0 : this.#putRights(fds);
    this.#describe(count, control);
    const { sendmsg } = this.#libc.functions;
    return this.#call(() => sendmsg(fd, this.#headerBytes, SEND_FLAGS));
  }

  #putRights(fds: readonly number[]): number {
    const bytes = CMSG_BYTES + INT_BYTES * fds.length;
    this.#control.setBigUint64(0, BigInt(bytes), true);
    this.#control.setInt32(8, SOL_SOCKET, true);
    this.#control.setInt32(12, SCM_RIGHTS, true);
    fds.forEach((fd, index) => this.#control.setInt32(CMSG_BYTES + INT_BYTES * index, fd, true));
    return bytes;
  }

  #describe(bytes: number, control: number): void {
    this.#iov.setBigUint64(8, BigInt(bytes), true);
    this.#header.setBigUint64(AT_CONTROL, control === 0 ? 0n : this.#controlAddress, true);
    this.#header.setBigUint64(AT_CONTROLLEN, BigInt(control), true);
    this.#header.setInt32(AT_FLAGS, 0, true);
  }

  /** Receives bytes and descriptors, at most a block. `received()` returns the bytes. */
  receive(fd: number): Received {
    this.#describe(this.#block.length, CONTROL_BYTES);
    const { recvmsg } = this.#libc.functions;
    const count = this.#call(() => recvmsg(fd, this.#headerBytes, RECEIVE_FLAGS));
    if (count < 0) return { count, fds: NO_FDS, isCut: false };
    const length = Number(this.#header.getBigUint64(AT_CONTROLLEN, true));
    const isCut = (this.#header.getInt32(AT_FLAGS, true) & MSG_CTRUNC) !== 0;
    return { count, fds: length < CMSG_BYTES ? NO_FDS : this.#takeRights(length), isCut };
  }

  #takeRights(length: number): readonly number[] {
    const fds: number[] = [];
    for (let at = 0; at + CMSG_BYTES <= length; ) {
      const bytes = Number(this.#control.getBigUint64(at, true));
      if (bytes < CMSG_BYTES) break;
      const isRights = this.#control.getInt32(at + 8, true) === SOL_SOCKET && this.#control.getInt32(at + 12, true) === SCM_RIGHTS;
      for (let each = at + CMSG_BYTES; isRights && each + INT_BYTES <= at + bytes; each += INT_BYTES)
        fds.push(this.#control.getInt32(each, true));
      at += (bytes + 7) & ~7;
    }
    return fds;
  }

  /**
   * Returns a copy of the bytes of the last `receive()`.
   *
   * @throws ConnectionMemoryError if there is no memory for it
   */
  received(count: number): NonSharedBuffer {
    const chunk = allocate(count);
    chunk.set(this.#block.subarray(0, count));
    return chunk;
  }

  // ---- waiting -----------------------------------------------------------------------------------------------------------------

  /** Creates an epoll descriptor. */
  createEpoll(): number {
    return this.#call(() => this.#libc.functions.epoll_create1(EPOLL_CLOEXEC));
  }

  /** Changes the events that are watched on a descriptor. */
  controlEpoll(epoll: number, operation: number, fd: number, events: number): number {
    const event = new DataView(this.#event.buffer);
    event.setUint32(0, events, true);
    event.setInt32(EVENT_DATA_AT, fd, true);
    return this.#call(() => this.#libc.functions.epoll_ctl(epoll, operation, fd, this.#event));
  }

  /** Fetches events without waiting; returns their number. */
  pollEpoll(epoll: number, events: Uint8Array): number {
    return this.#call(() => this.#libc.functions.epoll_wait(epoll, events, Math.floor(events.length / EVENT_BYTES), 0));
  }

  /** Waits on another thread; `undefined` if the interface cannot. */
  get waitForEvents(): WaitForEvents | undefined {
    return this.#libc.waitForEvents;
  }

  /** Creates an event counter, which is readable while it is not 0. */
  createCounter(): number {
    return this.#call(() => this.#libc.functions.eventfd(0, EVENTFD_FLAGS));
  }

  /** Adds 1 to a counter. */
  raise(counter: number): void {
    this.#counter.fill(0);
    this.#counter[0] = 1;
    this.#libc.functions.write(counter, this.#counter, this.#counter.length);
  }

  /** Sets a counter to 0. */
  reset(counter: number): void {
    this.#libc.functions.read(counter, this.#counter, this.#counter.length);
  }
}

/** The family in front of the path in a `struct sockaddr_un`. */
const FAMILY_BYTES = 2;

/** Makes the `struct sockaddr_un` of a Unix socket. A path in the file system ends in a NUL. */
export function sockaddrOf({ file, abstract }: Pick<UnixPath, "file" | "abstract">): Uint8Array {
  const bytes = Buffer.from(file as string);
  const address = stableMemory(FAMILY_BYTES + bytes.length + (abstract ? 0 : 1));
  address[0] = AF_UNIX;
  address.set(bytes, FAMILY_BYTES);
  return address;
}

/** Returns the descriptor of an event, and its flags. */
export function eventAt(events: DataView, index: number): readonly [fd: number, flags: number] {
  const at = index * EVENT_BYTES;
  return [events.getInt32(at + EVENT_DATA_AT, true), events.getUint32(at, true)];
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
