/**
 * Connects a socket to a Unix path, or to a host that may have several addresses: one after the other, or staggered as in RFC 8305 ("Happy
 * Eyeballs"). Python's `loop.create_unix_connection()` and `loop.create_connection()`.
 *
 * At most one socket is returned; the others are closed. If all addresses fail, the error reports each failure.
 */
import { lookup } from "node:dns/promises";
import net from "node:net";
import { isError } from "../base/arguments.js";
import { ignore } from "../base/errors.js";
import { clearTimeout, setTimeout } from "../base/scheduling.js";
import { abortReason, forgetAborted, onceAborted, type Settle } from "../base/waiting.js";
import type { IpFamily } from "./options.js";
import type { UnixPath } from "./socket-file/unix-path.js";
import { systemErrorCodes } from "./system-error.js";
import { makeSocket } from "./wire-factory.js";

/** Where and how to connect. All fields have been checked. */
export interface TcpTarget {
  readonly host: string;
  readonly port: number;
  readonly family: IpFamily;
  readonly localAddr: readonly [host: string, port: number] | undefined;
  /** Milliseconds after which the next address is tried in parallel; `undefined`: only after the previous one has failed. */
  readonly happyEyeballsDelay: number | undefined;
  /** How many addresses of the first family are tried before the families alternate; 0: the system's order. */
  readonly interleave: number;
  readonly allErrors: boolean;
}

/** Connects. If aborted, closes the opened sockets and rejects with the signal's reason. */
export async function connectTcp(target: TcpTarget, signal: AbortSignal | undefined): Promise<net.Socket> {
  const [addresses, localAddresses] = await untilAborted(
    Promise.all([
      resolve(target.host, target.family),
      target.localAddr === undefined ? undefined : resolve(target.localAddr[0], target.family),
    ]),
    signal,
  );
  const ordered = target.interleave === 0 ? addresses : interleaved(addresses, target.interleave);
  const attempts = ordered.map((address) => (whenDone: (result: net.Socket | Error) => void) => {
    const local = localAddresses?.find(({ family }) => family === address.family);
    if (target.localAddr !== undefined && local === undefined) {
      whenDone(noLocalAddress(target.localAddr[0], address.address));
      return undefined;
    }
    return connectOne(
      {
        host: address.address,
        port: target.port,
        family: address.family,
        ...(local === undefined ? {} : { localAddress: local.address, localPort: target.localAddr?.[1] ?? 0 }),
      },
      whenDone,
    );
  });
  return staggered(attempts, target, signal);
}

/** Makes one attempt. Returns the socket so that the attempt can be cancelled. */
function connectOne(options: net.TcpSocketConnectOpts, whenDone: (result: net.Socket | Error) => void): net.Socket {
  const socket = makeSocket().connect(options);
  const onError = (error: Error): void => whenDone(error);
  socket.once("error", onError);
  socket.once("connect", () => {
    // Until the transport adds its listener, an 'error' event without a listener would crash the process.
    socket.on("error", ignore).off("error", onError).setNoDelay(true);
    whenDone(socket);
  });
  return socket;
}

/** Begins to connect to one address. Returns `undefined` if that has failed at once. */
type ConnectAttempt = (whenDone: (result: net.Socket | Error) => void) => net.Socket | undefined;

function staggered(attempts: readonly ConnectAttempt[], target: TcpTarget, signal: AbortSignal | undefined): Promise<net.Socket> {
  return new Promise((resolveSocket, reject) => new Race(attempts, target, signal, { resolve: resolveSocket, reject }).run());
}

/**
 * Attempts at several addresses. Each starts when the one before has failed, or after the delay. The first attempt that connects wins,
 * and ends the others.
 */
class Race {
  readonly #attempts: readonly ConnectAttempt[];
  readonly #target: TcpTarget;
  readonly #signal: AbortSignal | undefined;
  readonly #settle: Settle<net.Socket>;
  readonly #trying: Set<net.Socket> = new Set();
  readonly #errors: Error[] = [];
  #state: "running" | "over" = "running";
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(attempts: readonly ConnectAttempt[], target: TcpTarget, signal: AbortSignal | undefined, settle: Settle<net.Socket>) {
    this.#attempts = attempts;
    this.#target = target;
    this.#signal = signal;
    this.#settle = settle;
  }

  run(): void {
    onceAborted(this.#signal, this.#onAbort);
    this.#tryNext();
  }

  readonly #onAbort = (): void => {
    this.#end();
    this.#settle.reject(abortReason(this.#signal));
  };

  #tryNext(): void {
    clearTimeout(this.#timer);
    const attempt = this.#attempts[this.#next];
    if (attempt === undefined) return;
    this.#next += 1;
    let socket: net.Socket | undefined;
    socket = attempt((result) => this.#attemptDone(socket, result)); // which may call back at once
    if (socket === undefined) return; // failed at once, and the next has begun
    this.#trying.add(socket);
    const delay = this.#target.happyEyeballsDelay;
    if (delay !== undefined) this.#timer = setTimeout(() => this.#tryNext(), delay);
  }

  #attemptDone(socket: net.Socket | undefined, result: net.Socket | Error): void {
    if (this.#state === "over") return;
    if (socket !== undefined) this.#trying.delete(socket);
    if (isError(result)) this.#attemptFailed(result);
    else {
      this.#end();
      this.#settle.resolve(result);
    }
  }

  #attemptFailed(error: Error): void {
    this.#errors.push(error);
    if (this.#errors.length === this.#attempts.length) {
      this.#end();
      this.#settle.reject(joinErrors(this.#errors, this.#target));
    } else if (this.#trying.size === 0 || this.#target.happyEyeballsDelay !== undefined) this.#tryNext();
  }

  /** Closes the sockets of the attempts that have not ended. */
  #end(): void {
    this.#state = "over";
    clearTimeout(this.#timer);
    forgetAborted(this.#signal, this.#onAbort);
    for (const socket of this.#trying) socket.on("error", ignore).destroy();
  }
}

/**
 * Joins the errors of all attempts into one.
 *
 * CPython: all errors if `allErrors` is set; the first if all messages are equal; otherwise one error that quotes them all.
 */
function joinErrors(errors: readonly Error[], { host, port, allErrors }: TcpTarget): Error {
  const first = errors[0] as Error;
  const codes = systemErrorCodes(first);
  // Has the first error's code, as Node's own AggregateError does.
  const all = Object.assign(new AggregateError(errors, `cannot connect to ${host}:${port}: ${errors.length} addresses failed`), codes);
  if (allErrors) return all;
  if (errors.every(({ message }) => message === first.message)) return first;
  const message = `cannot connect to ${host}:${port}: ${errors.map((error) => error.message).join("; ")}`;
  return Object.assign(new Error(message, { cause: all }), codes);
}

function noLocalAddress(local: string, remote: string): Error {
  const error = new Error(`EAI_ADDRFAMILY: localAddr ${local} has no address in the family of ${remote}`);
  return Object.assign(error, { code: "EAI_ADDRFAMILY", syscall: "connect", address: remote });
}

/** Orders addresses so that the families alternate, after `firstCount` addresses of the first family. */
function interleaved(addresses: readonly IpAddress[], firstCount: number): IpAddress[] {
  const firstFamily = addresses[0]?.family;
  const first = addresses.filter(({ family }) => family === firstFamily);
  const second = addresses.filter(({ family }) => family !== firstFamily);
  const ordered = first.splice(0, firstCount - 1);
  while (first.length > 0 || second.length > 0) {
    ordered.push(...first.splice(0, 1), ...second.splice(0, 1));
  }
  return ordered;
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolvePromise, reject) => {
    const onAbort = (): void => reject(abortReason(signal));
    promise.then(resolvePromise, reject).finally(() => forgetAborted(signal, onAbort));
    onceAborted(signal, onAbort);
  });
}

/* `connectUnix()`: connects to a Unix socket. */

/** Connects. If aborted, closes the socket and rejects with the signal's reason. */
export function connectUnix(path: UnixPath, signal: AbortSignal | undefined): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    // The signal is not passed to Node, which would destroy the connection on a later abort.
    const socket = makeSocket();
    const stopWatching = (): void => forgetAborted(signal, onAbort);
    const onAbort = (): void => {
      socket.destroy();
      reject(abortReason(signal));
    };
    onceAborted(signal, onAbort); // throws if the signal does
    socket.on("error", (error) => {
      stopWatching();
      reject(error);
    });
    socket.once("connect", () => {
      stopWatching();
      resolve(socket);
    });
    socket.connect({ path: path.name });
  });
}

/* `resolve()`: resolves host names to addresses. */

/** An IP address. */
export interface IpAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Returns every address of a host, in the system's order. An IP address resolves to itself. */
export async function resolve(host: string, family: IpFamily): Promise<IpAddress[]> {
  const literal = net.isIP(host.split("%", 1)[0] as string);
  if (literal === 4 || literal === 6) {
    if (family === 0 || family === literal) return [{ address: host, family: literal }];
    // Node: would accept the address nevertheless.
    // CPython: `getaddrinfo()` fails with this code.
    const error = new Error(`EAI_ADDRFAMILY: not an IPv${family} address, getaddrinfo '${host}'`);
    throw Object.assign(error, { code: "EAI_ADDRFAMILY", syscall: "getaddrinfo", hostname: host });
  }
  const found = await lookup(host, { all: true, family, verbatim: true });
  return found.map(({ address, family: foundFamily }) => ({ address, family: foundFamily === 6 ? 6 : 4 }));
}
