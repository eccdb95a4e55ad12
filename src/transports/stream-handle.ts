/**
 * The handles underneath Node's sockets, and the three things of Node's own that are needed to drive them without a `net.Socket`.
 *
 * None of this is documented. It is only used if every part of it is found, on the first connection, by looking at what a `net.Socket` does to a handle that is made up;
 * otherwise `streamHandles()` is `null`, and everything goes through `NodeWire`. Bun and Deno have no such handles. To do without on Node, too: set the environment variable
 * `ASYNCIO_STREAMS_PLAIN_SOCKETS` to 1, as the tests do to run both ways.
 *
 *   - `WriteWrap` and `ShutdownWrap`: the objects that stand for a write, or the end of our side, while it is under way.
 *   - `onStreamRead`: Node's function that a handle calls after a read. What was read (a count, the end, or an error) lies in memory that only Node's own code sees; so
 *     Node's function is called for a socket that is none, `Listener`, and passes on what it makes of it.
 */
import net from "node:net";
import { getSystemErrorName } from "node:util";

/** A write, or the end of our side, while it is under way. */
export interface HandleRequest {
  oncomplete(status: number): void;
  /** UNUSED as long as nothing is under way. What was done at once has not used the request. */
  getAsyncId(): number;
}

/** The id of a request that was not used. */
export const UNUSED: number = -1;

/** A connected stream of libuv, as Node's C++ shows it to its JavaScript. Numbers below 0 are errors of the system. */
export interface StreamHandle {
  onread: (this: StreamHandle, data: unknown) => Uint8Array | undefined;
  /** What Node's own code notes of the next two. */
  reading?: boolean;
  readStart(): number;
  readStop(): number;
  /** Where the next read goes. May be called once; later, what `onread` returns counts. */
  useUserBuffer(block: Uint8Array): void;
  writeBuffer(request: HandleRequest, bytes: Uint8Array): number;
  writev(request: HandleRequest, pieces: readonly Uint8Array[], allBuffers: true): number;
  /** 1: done already. */
  shutdown(request: HandleRequest): number;
  close(onClosed: () => void): void;
  /** Bytes given to writes that are not done. */
  readonly writeQueueSize: number;
  /** The descriptor; negative once it is closed, and where there is none. */
  readonly fd?: number;
  /** TCP only. */
  getsockname?(address: HandleAddress): number;
  getpeername?(address: HandleAddress): number;
  setNoDelay?(noDelay: boolean): number;
  setKeepAlive?(enable: boolean, initialDelaySeconds: number): number;
}

/** Filled in by `getsockname()` and `getpeername()`. */
export interface HandleAddress {
  address?: string;
  port?: number;
}

/** What a read has brought: the error itself is `readError()`. One object for all reads, valid until the next. */
export interface ReadResult {
  readonly kind: "nothing" | "data" | "end" | "error";
  /** Bytes read, with `data`. */
  readonly count: number;
}

/** What is needed to drive handles. */
export interface StreamHandles {
  readonly WriteWrap: new () => HandleRequest;
  readonly ShutdownWrap: new () => HandleRequest;
  /** To be asked within `onread`. */
  readResult(): ReadResult;
  /** The error that went with the kind `error`. */
  readError(): Error;
}

/** A system error as Node makes them. @param detail what else is known of it */
export function libuvError(errno: number, syscall: string, detail?: string): Error {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${syscall} ${code}${detail ? ` ${detail}` : ""}`), { errno, code, syscall });
}

const METHODS = ["readStart", "readStop", "useUserBuffer", "writeBuffer", "writev", "shutdown", "close"] as const;

/** Whether a handle has all that is needed. */
export function isStreamHandle(handle: unknown): handle is StreamHandle {
  if (typeof handle !== "object" || handle === null) return false;
  const candidate = handle as StreamHandle;
  return METHODS.every((name) => typeof candidate[name] === "function") && typeof candidate.writeQueueSize === "number";
}

let found: StreamHandles | null | undefined;

/** What is needed to drive handles; `null` where it is not to be had. */
export function streamHandles(): StreamHandles | null {
  if (found === undefined) found = isWanted() ? findParts() : null;
  return found;
}

function isWanted(): boolean {
  const { versions, env } = process;
  return versions["bun"] === undefined && versions["deno"] === undefined && env["ASYNCIO_STREAMS_PLAIN_SOCKETS"] !== "1";
}

/** A handle that does nothing but to show what Node's `net.Socket` does with handles. */
class MadeUpHandle {
  onread: unknown;
  reading = false;
  WriteWrap: unknown;
  ShutdownWrap: unknown;

  writeBuffer(request: object): number {
    this.WriteWrap = request.constructor;
    return 0;
  }
  shutdown(request: object): number {
    this.ShutdownWrap = request.constructor;
    return 1;
  }
  /* c8 ignore start -- a stand-in: which of these are called is Node's affair */
  getAsyncId(): number {
    return 0;
  }
  readStart(): number {
    return 0;
  }
  readStop(): number {
    return 0;
  }
  useUserBuffer(): void {}
  close(onClosed: () => void): void {
    onClosed();
  }
  /* c8 ignore stop */
}

const socketOn = (handle: MadeUpHandle, options?: object): net.Socket =>
  new net.Socket({ handle, manualStart: true, ...options } as net.SocketConstructorOpts);

/** The socket that Node takes every read to be for. */
class Listener extends net.Socket {
  readonly result: { kind: ReadResult["kind"]; count: number } = { kind: "nothing", count: 0 };
  error: Error | null = null;

  constructor(handle: MadeUpHandle) {
    const onread = { buffer: Buffer.alloc(1), callback: (count: number) => this.#setResult("data", count) };
    super({ handle, manualStart: true, onread } as unknown as net.SocketConstructorOpts);
  }

  #setResult(kind: ReadResult["kind"], count: number = 0): boolean {
    this.result.kind = kind;
    this.result.count = count;
    return true;
  }

  /** Node: what it does at the end. */
  override push(): boolean {
    return this.#setResult("end");
  }

  override read(): null {
    return null;
  }

  /** Node: what it does after an error. */
  override destroy(error?: Error): this {
    this.error = error ?? null;
    this.#setResult("error");
    return this;
  }
}

function findParts(): StreamHandles | null {
  const handle = new MadeUpHandle();
  try {
    const listener = new Listener(handle);
    // Each is seen while the call runs: Node makes the request in it.
    const writing = new MadeUpHandle();
    socketOn(writing).write(Buffer.alloc(1));
    const ending = new MadeUpHandle();
    socketOn(ending).end();
    const { WriteWrap } = writing;
    const { ShutdownWrap } = ending;
    const { onread } = handle;
    if (typeof onread !== "function" || typeof WriteWrap !== "function" || typeof ShutdownWrap !== "function") return null;
    if (new (WriteWrap as StreamHandles["WriteWrap"])().getAsyncId() !== UNUSED) return null;
    return {
      WriteWrap: WriteWrap as StreamHandles["WriteWrap"],
      ShutdownWrap: ShutdownWrap as StreamHandles["ShutdownWrap"],
      readResult() {
        listener.result.kind = "nothing";
        onread.call(handle);
        return listener.result;
      },
      readError: () => listener.error ?? Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" }),
    };
    /* c8 ignore next 3 -- a Node whose handles are others */
  } catch {
    return null;
  }
}
