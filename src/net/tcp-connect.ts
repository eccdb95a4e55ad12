/**
 * Connecting to a host that may have several addresses: one after the other, or staggered as in RFC 8305 ("Happy Eyeballs"). Python's
 * `loop.create_connection()`.
 *
 * Promises: at most one socket comes out, the others are closed; when all fail, the error tells of each.
 */
import type net from "node:net";
import { isError } from "../base/arguments.js";
import { clearTimeout, setTimeout } from "../base/scheduling.js";
import { abortReason, forgetAborted, onceAborted } from "../base/waiting.js";
import { makeSocket } from "./make-socket.js";
import type { IpFamily } from "./options.js";
import { type IpAddress, resolve } from "./resolve.js";
import { systemErrorCodes } from "./system-error.js";

/** Where to connect to, and how. All checked. */
export interface TcpTarget {
  readonly host: string;
  readonly port: number;
  readonly family: IpFamily;
  readonly localAddr: readonly [host: string, port: number] | undefined;
  /** Milliseconds after which the next address is tried beside the ones that are still trying; `undefined`: not before the last has failed. */
  readonly happyEyeballsDelay: number | undefined;
  /** How many addresses of the first family are tried before the families alternate; 0: the system's order. */
  readonly interleave: number;
  readonly allErrors: boolean;
}

/** Connects; if aborted, closes what was opened and rejects with the signal's reason. */
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

/** One attempt; returns the socket so that it can be given up. */
function connectOne(options: net.TcpSocketConnectOpts, whenDone: (result: net.Socket | Error) => void): net.Socket {
  const socket = makeSocket().connect(options);
  const onError = (error: Error): void => whenDone(error);
  socket.once("error", onError);
  socket.once("connect", () => {
    // Until the transport listens, an error must not find nobody there.
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
      if (socket === undefined) return; // failed at once, and the next is on its way
      trying.add(socket);
      if (target.happyEyeballsDelay !== undefined) timer = setTimeout(tryNext, target.happyEyeballsDelay);
    };

    onceAborted(signal, onAbort);
    tryNext();
  });
}

/** CPython: all of them if asked for; the only one, or the first if all say the same; else one that quotes them all. */
function joinErrors(errors: readonly Error[], { host, port, allErrors }: TcpTarget): Error {
  const first = errors[0] as Error;
  const codes = systemErrorCodes(first);
  // With the first one's code, as Node's own.
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

/** The families in turn, after `firstCount` of the family that comes first. */
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
