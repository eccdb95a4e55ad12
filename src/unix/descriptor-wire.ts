/**
 * `DescriptorWire`: a wire over a Unix socket that carries descriptors beside bytes, by `sendmsg()` and `recvmsg()`.
 *
 * Theory of operation
 *
 * No runtime reads from this socket. A runtime would call `read()`, and the kernel closes the descriptors that a `read()` does not take. So
 * the wire owns a descriptor that no handle knows, and the poller reports when it can be read or written.
 *
 * Reading. Each event receives one message into memory that all wires share. The descriptors of a message are delivered before its bytes.
 *
 * Writing. What the system does not accept is copied, and waits in a queue of messages. `attach()` gives descriptors to the next message;
 * they are sent with its first byte. The wire owns duplicates, so that the caller may close its own at any time. They are closed when the
 * message is sent, or dropped.
 *
 * Linux: a process may have only so many descriptors in flight (ETOOMANYREFS). The receiver has to take some first. No event reports that
 * it has, so the wire tries again after a while.
 */

import { AsyncResource } from "node:async_hooks";
import type net from "node:net";
import { asError, InvalidStateError } from "../base/errors.js";
import { NO_BYTES } from "../base/memory.js";
import { clearTimeout, nextTick, setImmediate, setTimeout } from "../base/scheduling.js";
import type { SocketInfo, Wire, WireEvents } from "../transports/wire.js";
import { isList } from "../transports/write-batch.js";
import { copyBehind } from "../transports/write-now.js";
import { errnoError } from "./errors.js";
import { type Poller, pollerOf, type Watcher } from "./poller.js";
import { EAGAIN, ETOOMANYREFS, type System } from "./system.js";

/** How long to wait before a message is sent again if too many descriptors are in flight, in milliseconds. */
const IN_FLIGHT_RETRY_MS = 10;

/** Receives descriptors. The transport implements it. */
export interface DescriptorEvents extends WireEvents {
  /**
   * Descriptors were received. Called before `handleData()` with the first byte that they were sent with.
   *
   * @param isCut whether the kernel has dropped some, because this process may open no more
   * @throws if there are too many, or some are lost; the connection then fails with that error. The receiver owns the descriptors in any
   *   case.
   */
  handleDescriptors(fds: readonly number[], isCut: boolean): void;
}

/** Bytes that the system has not accepted, with the descriptors that go with the first of them. */
interface Message {
  bytes: Uint8Array;
  fds: readonly number[] | null;
}

/** A Unix socket has no other properties. */
const FACTS: SocketInfo = { setNoDelay: () => {}, setKeepAlive: () => {} };

/** The descriptors of all wires. A number that is given twice would be closed twice, and the second time belong to another file. */
const owned = new Set<number>();

/** Whether a descriptor belongs to a wire. */
export function isOwnedByWire(fd: number): boolean {
  return owned.has(fd);
}

export class DescriptorWire extends AsyncResource implements Wire, Watcher {
  readonly #system: System;
  readonly #poller: Poller;
  #fd: number;
  #events: DescriptorEvents | null = null;
  #isReading = false;
  #readEnded = false;
  #queue: Message[] = [];
  #unsent = 0;
  #attached: readonly number[] | null = null;
  #retry: NodeJS.Timeout | undefined;
  /** `ending`: our side ends after the queue; `closing`: the wire closes after the queue; `failed`: nothing more can be sent. */
  #writeState: "open" | "ending" | "ended" | "closing" | "failed" = "open";
  #dropped = false;
  #errored: Error | null = null;

  /** @param fd a connected Unix stream socket, which the wire owns from now on */
  constructor(system: System, fd: number) {
    super("asyncio-streams.DescriptorWire");
    this.#system = system;
    this.#poller = pollerOf(system);
    this.#fd = fd;
    owned.add(fd);
  }

  get fd(): number {
    return this.#fd;
  }

  get unsent(): number {
    return this.destroyed || this.#writeState === "failed" ? 0 : this.#unsent;
  }

  get dropped(): boolean {
    return this.#dropped;
  }

  get destroyed(): boolean {
    return this.#fd < 0;
  }

  get errored(): Error | null {
    return this.#errored;
  }

  get facts(): SocketInfo {
    return FACTS;
  }

  isPeerGone(): boolean {
    if (this.destroyed) return true;
    const result = this.#system.send(this.#fd, NO_BYTES, null);
    return result < 0 && result !== EAGAIN;
  }

  listen(events: WireEvents): void {
    this.#events = events as DescriptorEvents;
  }

  /** Tells the poller what is wanted. */
  #watch(): void {
    if (this.destroyed) return;
    const wantsWrite = this.#queue.length > 0 && this.#retry === undefined && this.#writeState !== "failed";
    try {
      this.#poller.watch(this.#fd, this, this.#isReading && !this.#readEnded, wantsWrite);
      /* c8 ignore next 3 -- the kernel has no memory, or the user's limit of watches is reached */
    } catch (error) {
      this.#break(error as Error);
    }
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------

  resume(): void {
    this.#isReading = true;
    this.#watch();
  }

  pause(): void {
    this.#isReading = false;
    this.#watch();
  }

  /** @internal */
  handleReadable(): void {
    this.runInAsyncScope(() => this.#receive());
  }

  #receive(): void {
    const { count, fds, isCut } = this.#system.receive(this.#fd);
    if (count === EAGAIN) return;
    if (count < 0) {
      this.#break(errnoError(count, "recvmsg"));
      return;
    }
    try {
      if (fds.length > 0 || isCut) this.#events?.handleDescriptors(fds, isCut);
      if (count === 0) this.#endReading();
      else this.#events?.handleData(this.#system.received(count));
    } catch (error) {
      this.#break(asError(error, "receiving failed with"));
    }
  }

  #endReading(): void {
    this.#readEnded = true;
    this.#watch();
    this.#events?.handleEnd();
    this.#closeIfEnded();
  }

  /** The wire holds nothing. */
  deliverAll(): void {}

  /* c8 ignore next 3 -- only the PROXY protocol puts bytes back, and it comes before such a wire is made */
  unread(): void {
    throw new InvalidStateError("this wire cannot do that");
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------

  /** Sends descriptors with the first byte of the next `write()`. The wire owns them from now on. */
  attach(fds: readonly number[]): void {
    this.#attached = fds;
  }

  /** Closes attached descriptors that no write has taken. */
  dropAttached(): void {
    if (this.#attached === null) return;
    this.#closeAll(this.#attached);
    this.#attached = null;
  }

  #closeAll(fds: readonly number[]): void {
    for (const fd of fds) this.#system.close(fd);
  }

  write(data: Uint8Array | readonly Uint8Array[], _isForeign: boolean): boolean {
    const fds = this.#attached;
    this.#attached = null;
    /* c8 ignore next 5 -- the transport writes nothing in these states */
    if (this.destroyed || this.#writeState === "failed") {
      this.#dropped = true;
      if (fds !== null) this.#closeAll(fds);
      return false;
    }
    const message: Message = { bytes: NO_BYTES, fds };
    try {
      // A single piece is not copied unless some of it has to wait.
      message.bytes = isList(data) ? copyBehind(data, 0) : data;
      const isSent = this.#queue.length === 0 && this.#sendMessage(message);
      if (isSent || this.#isFailed()) return true;
      if (!isList(data)) message.bytes = copyBehind(message.bytes, 0);
      this.#queue.push(message);
      this.#unsent += message.bytes.length;
    } catch (error) {
      this.#dropped = true;
      if (message.fds !== null) this.#closeAll(message.fds);
      this.#break(error as Error); // no memory for a copy: the peer must not receive the bytes that follow
      return true;
    }
    this.#watch();
    return true; // all memory of the caller is free
  }

  #isFailed(): boolean {
    return this.#writeState === "failed";
  }

  /** Sends a message, as far as the system accepts it. Returns whether it is sent completely. */
  #sendMessage(message: Message): boolean {
    while (message.bytes.length > 0) {
      const sent = this.#system.send(this.#fd, message.bytes, message.fds);
      if (sent === EAGAIN) return false;
      if (sent === ETOOMANYREFS) {
        this.#sendLater();
        return false;
      }
      if (message.fds !== null) {
        this.#closeAll(message.fds);
        message.fds = null;
      }
      if (sent < 0) {
        this.#failWriting(errnoError(sent, "sendmsg"));
        return false;
      }
      message.bytes = message.bytes.subarray(sent);
    }
    return true;
  }

  #sendLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.handleWritable();
    }, IN_FLIGHT_RETRY_MS);
  }

  /** @internal */
  handleWritable(): void {
    this.runInAsyncScope(() => this.#sendQueue());
  }

  #sendQueue(): void {
    const before = this.#unsent;
    while (this.#queue.length > 0) {
      const message = this.#queue[0] as Message;
      const { length } = message.bytes;
      const isSent = this.#sendMessage(message);
      if (this.#isFailed() || this.destroyed) return;
      this.#unsent -= length - message.bytes.length;
      if (!isSent) break;
      this.#queue.shift();
    }
    this.#watch();
    if (this.#unsent < before) this.#events?.handleWritten();
    if (this.#queue.length > 0 || this.destroyed) return;
    if (this.#writeState === "ending") this.#shutDown();
    else if (this.#writeState === "closing") this.destroy();
  }

  #failWriting(error: Error): void {
    this.#writeState = "failed";
    this.#dropped = true;
    this.#errored ??= error;
    this.#dropQueue();
    this.#watch();
    this.#events?.handleWriteError(error);
  }

  #dropQueue(): void {
    if (this.#queue.length > 0) this.#dropped = true;
    for (const { fds } of this.#queue.splice(0)) if (fds !== null) this.#closeAll(fds);
    this.#unsent = 0;
    this.dropAttached();
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  end(): void {
    if (this.destroyed || this.#writeState !== "open") return;
    this.#writeState = "ending";
    if (this.#queue.length === 0) this.#shutDown();
  }

  #shutDown(): void {
    this.#writeState = "ended";
    this.#system.shutdown(this.#fd); // if the peer is gone, a read reports that
    nextTick(() => this.#closeIfEnded());
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  #closeIfEnded(): void {
    if (this.#readEnded && this.#writeState === "ended") this.destroy();
  }

  /** Ends the connection because it cannot be read any more. */
  #break(error: Error): void {
    if (this.destroyed) return;
    this.#errored ??= error;
    this.destroy();
    this.#events?.handleError(error);
  }

  close(): void {
    this.pause();
    if (this.#queue.length === 0 || this.#isFailed()) this.destroy();
    else this.#writeState = "closing";
  }

  destroy(): void {
    if (this.destroyed) return;
    const fd = this.#fd;
    this.#dropQueue();
    this.#isReading = false;
    // Before it is closed: a duplicate that another process has would keep it in the epoll descriptor.
    this.#watch();
    this.#fd = -1;
    owned.delete(fd);
    this.#system.close(fd);
    setImmediate(() => this.runInAsyncScope(() => this.#events?.handleClose()));
  }

  /* c8 ignore next 3 -- only TLS takes the socket of a wire, and its transport has none */
  release(): net.Socket {
    throw new InvalidStateError("this wire cannot do that");
  }
}
