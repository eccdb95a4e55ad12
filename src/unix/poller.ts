/**
 * `Poller`: reports when descriptors can be read or written. One for the process.
 *
 * Theory of operation
 *
 * An epoll descriptor watches all descriptors. It is itself readable while one of its descriptors has an event. What remains is to be
 * called when it is:
 *
 *   - Node: a `Pipe` handle of libuv is opened on it, and given a block of 0 bytes to read into. At each event, libuv reports ENOBUFS
 *     instead of reading, and continues to poll. This is undocumented. It is used only if a self-check shows that it works
 *     (`HandleWatch`), and costs no thread.
 *   - Bun, Deno, and Node without such handles: a thread waits in `epoll_wait()` while descriptors are watched (`ThreadWatch`). A counter,
 *     which is watched too, ends its wait.
 *
 * Events are level-triggered: they are reported again until their cause is gone. The kernel always reports errors and hang-ups, also if
 * they are not asked for. So a descriptor of which nothing is wanted must not be watched, or the process would never rest.
 */
import { AsyncResource } from "node:async_hooks";
import net from "node:net";
import { setImmediate } from "../base/scheduling.js";
import { nodeInternals } from "../transports/stream-handle.js";
import { errnoError } from "./errors.js";
import { stableMemory } from "./libc.js";
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT, EVENT_BYTES, eventAt, type System } from "./system.js";

/** The number of events that are fetched at a time. */
const MAX_EVENTS = 64;

/** Receives the events of a descriptor. */
export interface Watcher {
  /** The descriptor can be read, or has an error or a hang-up. */
  handleReadable(): void;
  /** The descriptor can be written, or has an error or a hang-up. */
  handleWritable(): void;
}

/** A watched descriptor. */
interface Watched {
  readonly watcher: Watcher;
  events: number;
}

/** Calls `onReadable` while an epoll descriptor has events, between `start()` and `stop()`. */
interface Watch {
  start(): void;
  stop(): void;
}

/** Reports events of descriptors. */
export class Poller {
  readonly #system: System;
  readonly #epoll: number;
  readonly #watched: Map<number, Watched> = new Map();
  readonly #events: Uint8Array = stableMemory(MAX_EVENTS * EVENT_BYTES);
  readonly #view: DataView = new DataView(this.#events.buffer);
  readonly #watch: Watch;

  constructor(system: System) {
    this.#system = system;
    this.#epoll = system.createEpoll();
    if (this.#epoll < 0) throw errnoError(this.#epoll, "epoll_create1");
    const onReadable = (): void => this.#dispatch(system.pollEpoll(this.#epoll, this.#events), this.#view);
    this.#watch = HandleWatch.create(system, this.#epoll, onReadable) ?? new ThreadWatch(system, this.#epoll, onReadable);
  }

  /** Sets which events of a descriptor are reported. Without any, the descriptor is not watched, and does not keep the process alive. */
  watch(fd: number, watcher: Watcher, wantsRead: boolean, wantsWrite: boolean): void {
    const events = (wantsRead ? EPOLLIN : 0) | (wantsWrite ? EPOLLOUT : 0);
    const known = this.#watched.get(fd);
    if (known?.events === events || (known === undefined && events === 0)) return;
    const operation = known === undefined ? EPOLL_CTL_ADD : events === 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    const result = this.#system.controlEpoll(this.#epoll, operation, fd, events);
    if (result < 0) throw errnoError(result, "epoll_ctl");
    if (events === 0) this.#watched.delete(fd);
    else if (known === undefined) this.#watched.set(fd, { watcher, events });
    else known.events = events;
    if (this.#watched.size === 0) this.#watch.stop();
    else if (known === undefined && this.#watched.size === 1) this.#watch.start();
  }

  #dispatch(count: number, view: DataView): void {
    // A callback may fetch events itself, through another one that ends in a call of the program, so the events are read first.
    const events = Array.from({ length: Math.max(count, 0) }, (_, index) => eventAt(view, index));
    for (const [fd, flags] of events) {
      const watched = this.#watched.get(fd);
      if (watched === undefined) continue;
      const others = (flags & ~(EPOLLIN | EPOLLOUT)) !== 0;
      if ((watched.events & EPOLLIN) !== 0 && ((flags & EPOLLIN) !== 0 || others)) watched.watcher.handleReadable();
      const still = this.#watched.get(fd);
      if (still === watched && (still.events & EPOLLOUT) !== 0 && ((flags & EPOLLOUT) !== 0 || others)) still.watcher.handleWritable();
    }
  }
}

/** The undocumented members of a `Pipe` handle that are used. */
interface PipeHandle {
  onread: () => undefined;
  open(fd: number): number;
  useUserBuffer(block: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  ref(): void;
  unref(): void;
  close(): void;
}

/** Watches through a handle of libuv. */
class HandleWatch implements Watch {
  readonly #handle: PipeHandle;

  private constructor(handle: PipeHandle) {
    this.#handle = handle;
  }

  /** Returns `null` if the runtime has no such handles, or they do not behave as expected. */
  static create(system: System, epoll: number, onReadable: () => void): HandleWatch | null {
    if (nodeInternals() === null) return null;
    const Pipe = pipeHandleOf(system);
    /* c8 ignore next -- a Node version with different handles */
    if (Pipe === null) return null;
    const handle = new Pipe(0);
    /* c8 ignore next -- likewise */
    if (typeof handle.useUserBuffer !== "function" || handle.open(epoll) !== 0) return null;
    handle.unref();
    handle.useUserBuffer(new Uint8Array(0));
    handle.onread = () => {
      onReadable();
      return undefined;
    };
    return new HandleWatch(handle);
  }

  start(): void {
    this.#handle.ref();
    this.#handle.readStart();
  }

  stop(): void {
    this.#handle.readStop();
    this.#handle.unref();
  }
}

/** Finds the class of handles on pipes and Unix sockets. */
function pipeHandleOf(system: System): (new (kind: number) => PipeHandle) | null {
  const pair = system.socketpair();
  if (typeof pair === "number") return null;
  const socket = new net.Socket({ fd: pair[0], readable: false, writable: true });
  const { _handle: handle } = socket as { _handle?: object | null };
  const Pipe = handle?.constructor;
  socket.destroy();
  system.close(pair[1]);
  return typeof Pipe === "function" ? (Pipe as new (kind: number) => PipeHandle) : null;
}

/** Watches on another thread. */
class ThreadWatch implements Watch {
  readonly #system: System;
  readonly #epoll: number;
  readonly #onReadable: () => void;
  readonly #counter: number;
  /** Memory that only the thread uses. */
  readonly #events: Uint8Array = stableMemory(EVENT_BYTES);
  /** Its callbacks run in no `AsyncLocalStorage` context of a program. */
  readonly #context: AsyncResource = new AsyncResource("asyncio-streams.Poller");
  #isWanted = false;
  #isWaiting = false;

  constructor(system: System, epoll: number, onReadable: () => void) {
    this.#system = system;
    this.#epoll = epoll;
    this.#onReadable = onReadable;
    this.#counter = system.createCounter();
    if (this.#counter < 0) throw errnoError(this.#counter, "eventfd");
    system.controlEpoll(epoll, EPOLL_CTL_ADD, this.#counter, EPOLLIN);
  }

  start(): void {
    this.#isWanted = true;
    if (!this.#isWaiting) void this.#wait();
  }

  stop(): void {
    this.#isWanted = false;
    // A descriptor is often watched again in the same turn.
    setImmediate(() => {
      if (!this.#isWanted && this.#isWaiting) this.#system.raise(this.#counter);
    });
  }

  async #wait(): Promise<void> {
    const wait = this.#system.waitForEvents as NonNullable<System["waitForEvents"]>;
    this.#isWaiting = true;
    while (this.#isWanted) {
      await wait(this.#epoll, this.#events, 1);
      this.#system.reset(this.#counter);
      if (this.#isWanted) this.#context.runInAsyncScope(this.#onReadable);
    }
    this.#isWaiting = false;
  }
}

let poller: Poller | null = null;

/** Returns the poller of the process. */
export function pollerOf(system: System): Poller {
  return (poller ??= new Poller(system));
}
