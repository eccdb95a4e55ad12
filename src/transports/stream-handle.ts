/**
 * The handles underneath Node's sockets, and the internal parts of Node that are needed to drive them without a `net.Socket`.
 *
 * None of this is documented. It is used only if every part is found. The search happens on the first connection and observes what a
 * `net.Socket` does to a made-up handle. If a part is missing, `nodeInternals()` returns `null`, and everything goes through `NodeWire`.
 * Bun, Deno and Cloudflare Workers have no such handles. To disable the handles on Node, too, set the environment variable
 * `ASYNCIO_STREAMS_PLAIN_SOCKETS` to 1; the tests do that to run both ways.
 *
 *   - `WriteWrap` and `ShutdownWrap`: the request objects of a write, or of the shutdown of our side, while it is in progress.
 *   - `TCPConnectWrap` and `PipeConnectWrap`: the request objects of a connect (`client-handle.ts`).
 *   - `onStreamRead`: Node's function that a handle calls after a read. The result of the read (a count, EOF or an error) lies in memory
 *     that only Node's own code sees. So Node's function is called for a stand-in socket, `Listener`, which passes on the result.
 */
import net from "node:net";
import { getSystemErrorName } from "node:util";

/** A request: a write, or the shutdown of our side, while it is in progress. */
export interface HandleRequest {
  oncomplete(status: number): void;
  /** UNUSED until an operation is in progress. An operation that completes immediately does not use the request. */
  getAsyncId(): number;
}

/** The request of a connect. */
export interface ConnectRequest {
  oncomplete(status: number): void;
}

/** The async id of an unused request. */
export const UNUSED: number = -1;

/** A connected libuv stream, as Node's C++ exposes it to its JavaScript. Numbers below 0 are system errors. */
export interface StreamHandle {
  onread: (this: StreamHandle, data: unknown) => Uint8Array | undefined;
  /** A flag that Node's own code sets with the next two methods. */
  reading?: boolean;
  readStart(): number;
  readStop(): number;
  /** Sets the memory for the next read. May be called once; after that, the return value of `onread` decides. */
  useUserBuffer(block: Uint8Array): void;
  writeBuffer(request: HandleRequest, bytes: Uint8Array): number;
  writev(request: HandleRequest, pieces: readonly Uint8Array[], allBuffers: true): number;
  /** Returns 1 if it is already done. */
  shutdown(request: HandleRequest): number;
  close(onClosed: () => void): void;
  /** Number of bytes in writes that are not complete. */
  readonly writeQueueSize: number;
  /** The descriptor; negative once the handle is closed, or if it has none. */
  readonly fd?: number;
  ref?(): void;
  unref?(): void;
  /** TCP only. */
  getsockname?(address: HandleAddress): number;
  getpeername?(address: HandleAddress): number;
  setNoDelay?(noDelay: boolean): number;
  setKeepAlive?(enable: boolean, initialDelaySeconds: number, intervalSeconds?: number, count?: number): number;
}

/** Returns the descriptor of a socket; negative if the socket is closed, or the runtime does not report its descriptor. */
export function descriptorOf(socket: net.Socket): number {
  const fd = socket.destroyed ? undefined : (socket as { _handle?: { readonly fd?: unknown } | null })._handle?.fd;
  return typeof fd === "number" ? fd : -1;
}

/** Whether `setKeepAlive()` also sets the interval and the count of the probes. Node: since version 26. */
export const hasKeepAliveProbes: boolean = net.Socket.prototype.setKeepAlive.length >= 4;

/** The result of `getsockname()` and `getpeername()`. */
export interface HandleAddress {
  address?: string;
  port?: number;
}

/** The result of a read; `readError()` returns the error itself. One object serves all reads and is valid until the next read. */
export interface ReadResult {
  readonly kind: "nothing" | "data" | "end" | "error";
  /** Number of bytes read, for `data`. */
  readonly count: number;
}

/** Node's internal parts that are needed to drive handles. */
export interface NodeInternals {
  readonly WriteWrap: new () => HandleRequest;
  readonly ShutdownWrap: new () => HandleRequest;
  /** Returns the result of the read. Must be called within `onread`. */
  readResult(): ReadResult;
  /** Returns the error of a result of the kind `error`. */
  readError(): Error;
}

/**
 * Creates a system error in Node's form.
 *
 * @param detail text appended to the message
 */
export function libuvError(errno: number, syscall: string, detail?: string): Error {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${syscall} ${code}${detail ? ` ${detail}` : ""}`), { errno, code, syscall });
}

const METHODS = ["readStart", "readStop", "useUserBuffer", "writeBuffer", "writev", "shutdown", "close"] as const;

/** Whether a handle has all required members. */
export function isStreamHandle(handle: unknown): handle is StreamHandle {
  if (typeof handle !== "object" || handle === null) return false;
  const candidate = handle as StreamHandle;
  return METHODS.every((name) => typeof candidate[name] === "function") && typeof candidate.writeQueueSize === "number";
}

let found: NodeInternals | null | undefined;

/** Returns Node's internal parts that are needed to drive handles; `null` if they are not available. */
export function nodeInternals(): NodeInternals | null {
  if (found === undefined) found = isWanted() ? findParts() : null;
  return found;
}

/**
 * Cloudflare Workers: its `process.versions.uv` is empty. Its `net.Socket` ignores the made-up handle, and fails later with exceptions that
 * the caller cannot catch, so the search must not begin there.
 */
function isWanted(): boolean {
  const { versions, env } = process;
  if (versions.uv === undefined || versions.uv === "") return false;
  return versions["bun"] === undefined && versions["deno"] === undefined && env["ASYNCIO_STREAMS_PLAIN_SOCKETS"] !== "1";
}

/** A stand-in handle. It does nothing, and shows what Node's `net.Socket` does with handles. */
class MadeUpHandle {
  onread: unknown;
  reading = false;
  WriteWrap: unknown;
  ShutdownWrap: unknown;
  ConnectWrap: unknown;

  writeBuffer(request: object): number {
    this.WriteWrap = request.constructor;
    return 0;
  }
  shutdown(request: object): number {
    this.ShutdownWrap = request.constructor;
    return 1;
  }
  connect(request: object): number {
    this.ConnectWrap = request.constructor;
    return 0;
  }
  /* c8 ignore start -- a stand-in: Node decides which of these it calls */
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

/** The stand-in socket to which Node attributes every read. */
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

  /** Node: calls this at EOF. */
  override push(): boolean {
    return this.#setResult("end");
  }

  override read(): null {
    return null;
  }

  /** Node: calls this after an error. */
  override destroy(error?: Error): this {
    this.error = error ?? null;
    this.#setResult("error");
    return this;
  }
}

function findParts(): NodeInternals | null {
  const handle = new MadeUpHandle();
  try {
    const listener = new Listener(handle);
    // Node creates each request during the call, and the handle notes its class.
    const writing = new MadeUpHandle();
    socketOn(writing).write(Buffer.alloc(1));
    const ending = new MadeUpHandle();
    socketOn(ending).end();
    const { WriteWrap } = writing;
    const { ShutdownWrap } = ending;
    const { onread } = handle;
    if (typeof onread !== "function" || typeof WriteWrap !== "function" || typeof ShutdownWrap !== "function") return null;
    if (new (WriteWrap as NodeInternals["WriteWrap"])().getAsyncId() !== UNUSED) return null;
    return {
      WriteWrap: WriteWrap as NodeInternals["WriteWrap"],
      ShutdownWrap: ShutdownWrap as NodeInternals["ShutdownWrap"],
      readResult() {
        listener.result.kind = "nothing";
        onread.call(handle);
        return listener.result;
      },
      readError: () => listener.error ?? Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" }),
    };
    /* c8 ignore next 3 -- a Node version with different handles */
  } catch {
    return null;
  }
}

/** Answers at once, so that the socket connects before `connect()` returns. */
function lookUpMadeUpHost(_host: string, _options: object, callback: (error: null, address: string, family: number) => void): void {
  callback(null, "127.0.0.1", 4);
}

/** The classes of the requests of a connect; `null` if one was not found. */
export interface ConnectRequests {
  readonly tcp: (new () => ConnectRequest) | null;
  readonly unix: (new () => ConnectRequest) | null;
}

/** Finds the classes of the requests of a connect. Tools that observe opened sockets may see the stand-in sockets. */
export function findConnectRequests(): ConnectRequests {
  const [tcp, unix] = [new MadeUpHandle(), new MadeUpHandle()];
  try {
    socketOn(tcp).connect({ host: "made-up", port: 1, autoSelectFamily: false, lookup: lookUpMadeUpHost });
    socketOn(unix).connect({ path: "made-up" });
    /* c8 ignore next 3 -- a Node version with different handles */
  } catch {
    // Sockets are connected the documented way.
  }
  return { tcp: requestClass(tcp.ConnectWrap), unix: requestClass(unix.ConnectWrap) };
}

function requestClass(found: unknown): (new () => ConnectRequest) | null {
  return typeof found === "function" ? (found as new () => ConnectRequest) : null;
}
