/**
 * Connects to a host that may have several addresses: one after the other, or staggered as in RFC 8305 ("Happy Eyeballs"). Python's
 * `loop.create_connection()`.
 *
 * At most one socket is returned; the others are closed. If all addresses fail, the error reports each failure.
 */
import type net from "node:net";
import { isError } from "../base/arguments.js";
import { clearTimeout, setTimeout } from "../base/scheduling.js";
import { abortReason, forgetAborted, onceAborted } from "../base/waiting.js";
import { makeSocket } from "./make-socket.js";
import type { IpFamily } from "./options.js";
import { type IpAddress, resolve } from "./resolve.js";
import { systemErrorCodes } from "./system-error.js";

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

type Attempt = (whenDone: (result: net.Socket | Error) => void) => net.Socket | undefined;

function staggered(attempts: readonly Attempt[], target: TcpTarget, signal: AbortSignal | undefined): Promise<net.Socket> {
  return new Promise((resolveSocket, reject) => {
    const trying = new Set<net.Socket>();
    const errors: Error[] = [];
    let next = 0;
    let over = false;
    let timer: NodeJS.Timeout | undefined;

    const finish = (): void => {
      over = true;
      clearTimeout(timer);
      forgetAborted(signal, onAbort);
      for (const socket of trying) socket.on("error", ignore).destroy();
    };
    const onAbort = (): void => {
      finish();
      reject(abortReason(signal));
    };
    const tryNext = (): void => {
      clearTimeout(timer);
      const attempt = attempts[next];
      if (attempt === undefined) return;
      next += 1;
      let socket: net.Socket | undefined;
      const whenDone = (result: net.Socket | Error): void => {
        if (over) return;
        if (socket !== undefined) trying.delete(socket);
        if (!isError(result)) {
          finish();
          resolveSocket(result);
          return;
        }
        errors.push(result);
        if (errors.length === attempts.length) {
          finish();
          reject(joinErrors(errors, target));
        } else if (trying.size === 0 || target.happyEyeballsDelay !== undefined) tryNext();
      };
      socket = attempt(whenDone);
      if (socket === undefined) return; // failed at once, and the next attempt has been started
      trying.add(socket);
      if (target.happyEyeballsDelay !== undefined) timer = setTimeout(tryNext, target.happyEyeballsDelay);
    };

    onceAborted(signal, onAbort);
    tryNext();
  });
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
  const all = Object.assign(new AggregateError(errors, `could not connect to ${host}:${port}: ${errors.length} addresses failed`), codes);
  if (allErrors) return all;
  if (errors.every(({ message }) => message === first.message)) return first;
  const message = `could not connect to ${host}:${port}: ${errors.map((error) => error.message).join("; ")}`;
  return Object.assign(new Error(message, { cause: all }), codes);
}

function noLocalAddress(local: string, remote: string): Error {
  const error = new Error(`EAI_ADDRFAMILY: localAddr ${local} has no address of the family of ${remote}`);
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

function ignore(): void {}
