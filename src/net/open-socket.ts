/**
 * Connects a socket to a Unix path, or to a host that may have several addresses: one after the other, or staggered as in RFC 8305 ("Happy
 * Eyeballs"). Python's `loop.create_unix_connection()` and `loop.create_connection()`.
 *
 * At most one socket is returned; the others are closed. If all addresses fail, the error reports each failure.
 */
import { isError } from "../base/arguments.js";
import { ignore } from "../base/errors.js";
import { clearTimeout, delay, setTimeout } from "../base/scheduling.js";
import { abortReason, forgetAborted, onceAborted, type Settle, throwIfAborted } from "../base/waiting.js";
import type { BoundSocket } from "./adopt.js";
import { beginConnecting, type Endpoint, type Opened } from "./connecting.js";
import type { IpFamily } from "./options.js";
import { type IpAddress, literalAddress, resolve, untilAborted } from "./resolve.js";
import { withConnectPath } from "./socket-file/directory.js";
import type { UnixPath } from "./socket-file/unix-path.js";
import { codeOf, isSystemCode, systemError, systemErrorCodes } from "./system-error.js";

/** The address to connect from. */
type LocalAddress = readonly [host: string, port: number];

/** Where and how to connect. All fields have been checked. */
export interface TcpTarget {
  readonly host: string;
  readonly port: number;
  readonly family: IpFamily;
  readonly localAddr: LocalAddress | undefined;
  /** Milliseconds after which the next address is tried in parallel; `undefined`: only after the previous one has failed. */
  readonly happyEyeballsDelay: number | undefined;
  /** How many addresses of the first family are tried before the families alternate; 0: the system's order. */
  readonly interleave: number;
  readonly allErrors: boolean;
  /** The socket to connect from. It can be used once, so only the first address of its family is tried. */
  readonly bound: BoundSocket | undefined;
  readonly wireWillDo: boolean;
}

/** Connects. If aborted, closes the opened sockets and rejects with the signal's reason. */
export function connectTcp(target: TcpTarget, signal: AbortSignal | undefined): Promise<Opened> {
  const { host, family, localAddr } = target;
  if (localAddr !== undefined) return connectFrom(localAddr, target, signal);
  const literal = literalAddress(host, family);
  return literal === null ? connectByName(target, signal) : connectToAny(target, [literal], undefined, signal);
}

async function connectFrom(local: LocalAddress, target: TcpTarget, signal: AbortSignal | undefined): Promise<Opened> {
  const lookups = Promise.all([resolve(target.host, target.family), resolve(local[0], target.family)]);
  const [addresses, locals] = await untilAborted(lookups, signal);
  throwIfAborted(signal); // aborted after the lookup, in the same turn
  return await connectToAny(target, addresses, locals, signal);
}

async function connectByName(target: TcpTarget, signal: AbortSignal | undefined): Promise<Opened> {
  const addresses = await untilAborted(resolve(target.host, target.family), signal);
  throwIfAborted(signal); // as above
  return await connectToAny(target, addresses, undefined, signal);
}

/** Connects to one of the addresses. A single one needs no race. */
function connectToAny(
  target: TcpTarget,
  addresses: readonly IpAddress[],
  localAddresses: readonly IpAddress[] | undefined,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const { port, bound, allErrors, wireWillDo } = target;
  const ordered = addressesFor(target, addresses);
  const [only] = ordered;
  if (only !== undefined && ordered.length === 1 && localAddresses === undefined && !allErrors)
    return connectOnce({ to: { kind: "tcp", ...only, port }, bound, wireWillDo }, signal);
  const attempts = ordered.map((address) => {
    const locals = localAddresses?.filter((local) => local.family === address.family);
    return new Attempt(address, target, locals);
  });
  return staggered(attempts, target, signal);
}

/**
 * An attempt to connect to one address. If several local addresses are given, it tries them in order until one can be bound.
 *
 * CPython: does the same in `_connect_sock()`.
 */
class Attempt {
  readonly #address: IpAddress;
  readonly #target: TcpTarget;
  /** The local addresses that are left to try; `undefined`: the system chooses. */
  readonly #locals: IpAddress[] | undefined;
  /** Gives up. */
  cancel: () => void = ignore;

  constructor(address: IpAddress, target: TcpTarget, locals: readonly IpAddress[] | undefined) {
    this.#address = address;
    this.#target = target;
    this.#locals = locals === undefined ? undefined : [...locals];
  }

  /** Begins to connect. Calls back once, perhaps before it returns. */
  start(whenDone: (result: Opened | Error) => void): void {
    const local = this.#locals?.shift();
    const { port, localAddr, bound, wireWillDo } = this.#target;
    if (localAddr !== undefined && local === undefined) {
      whenDone(noLocalAddress(`localAddr ${localAddr[0]}`, this.#address.address));
      return;
    }
    const from = local === undefined ? undefined : { address: local.address, port: localAddr?.[1] ?? 0 };
    this.cancel = beginConnecting({ to: { kind: "tcp", ...this.#address, port }, local: from, bound, wireWillDo }, (result) => {
      if (isError(result) && isBindError(result) && this.#locals !== undefined && this.#locals.length > 0) this.start(whenDone);
      else whenDone(result);
    });
  }
}

/** Whether an error is about the local address. Bun, Deno: report it as an error of the connect. */
function isBindError(error: Error): boolean {
  return (error as { readonly syscall?: unknown }).syscall === "bind" || codeOf(error) === "EADDRNOTAVAIL";
}

function staggered(attempts: readonly Attempt[], target: TcpTarget, signal: AbortSignal | undefined): Promise<Opened> {
  return new Promise((resolveSocket, reject) => new Race(attempts, target, signal, { resolve: resolveSocket, reject }).run());
}

/**
 * Attempts at several addresses. Each starts when the one before has failed, or after the delay. The first attempt that connects wins,
 * and ends the others.
 */
class Race {
  readonly #attempts: readonly Attempt[];
  readonly #target: TcpTarget;
  readonly #signal: AbortSignal | undefined;
  readonly #settle: Settle<Opened>;
  readonly #trying: Set<Attempt> = new Set();
  readonly #errors: Error[] = [];
  #state: "running" | "over" = "running";
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(attempts: readonly Attempt[], target: TcpTarget, signal: AbortSignal | undefined, settle: Settle<Opened>) {
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
    this.#trying.add(attempt);
    attempt.start((result) => this.#attemptDone(attempt, result));
    if (!this.#trying.has(attempt)) return; // failed at once, and the next has begun
    const delay = this.#target.happyEyeballsDelay;
    if (delay !== undefined) this.#timer = setTimeout(() => this.#tryNext(), delay);
  }

  #attemptDone(attempt: Attempt, result: Opened | Error): void {
    if (this.#state === "over") return;
    this.#trying.delete(attempt);
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
    for (const attempt of this.#trying) attempt.cancel();
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
  const error = new Error(`EAI_ADDRFAMILY: ${local} has no address in the family of ${remote}`);
  return Object.assign(error, { code: "EAI_ADDRFAMILY", syscall: "connect", address: remote });
}

/** Returns the addresses to try, in order. */
function addressesFor({ host, interleave, bound }: TcpTarget, addresses: readonly IpAddress[]): readonly IpAddress[] {
  if (bound === undefined) return interleave === 0 ? addresses : interleaved(addresses, interleave);
  /* c8 ignore start -- Node 26 */
  const { address } = bound.address() as { readonly address: string };
  const family = address.includes(":") ? 6 : 4;
  const usable = addresses.find((one) => one.family === family);
  if (usable === undefined) throw noLocalAddress(`sock (${address})`, host);
  return [usable];
}
/* c8 ignore stop */

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

/* `connectUnix()`: connects to a Unix socket. */

/** How long to wait before connecting again to a server whose queue is full, in milliseconds: the first time, and at most. */
const FIRST_RETRY_MS = 1;
const MAX_RETRY_MS = 50;

/** How to connect to a path. */
export type UnixManner = Pick<Endpoint, "bound" | "wireWillDo">;

/** Connects to a path, whatever bytes it has. If aborted, closes the socket and rejects with the signal's reason. */
export function connectUnix({ file, name }: UnixPath, signal: AbortSignal | undefined, manner: UnixManner): Promise<Opened> {
  return typeof file === "string" ? connectUnixName(name, signal, manner) : connectUnixBytes({ file, name }, signal, manner);
}

async function connectUnixBytes(
  path: { file: Buffer; name: string },
  signal: AbortSignal | undefined,
  manner: UnixManner,
): Promise<Opened> {
  try {
    return await withConnectPath(path.file, (name) => connectUnixName(name, signal, manner));
  } catch (error) {
    // The system's error is about the descriptor through which the path was reached.
    const code = codeOf(error);
    throw code === undefined || !isSystemCode(code) ? error : systemError(code, "connect", "cannot connect", path.name, error);
  }
}

/**
 * If the server's queue is full, waits and connects again, until the server accepts or the signal is aborted. A connect that may block
 * waits in the kernel; one that may not fails with `EAGAIN`, and nothing reports when there is room.
 */
async function connectUnixName(name: string, signal: AbortSignal | undefined, manner: UnixManner): Promise<Opened> {
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
    try {
      return await connectOnce({ to: { kind: "unix", path: name }, ...manner }, signal);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN" || manner.bound !== undefined) throw error; // a bound socket can be used once
    }
    // At random, so that clients that came together do not return together.
    await untilAborted(delay(waitMs * (0.5 + Math.random())), signal);
  }
  /* c8 ignore next -- V8 counts the end of a function that the loop never reaches */
}

/* `connectOnce()`: connects to one address, without a race. */

function connectOnce(endpoint: Endpoint, signal: AbortSignal | undefined): Promise<Opened> {
  return new Promise((resolveOpened, reject) => {
    let cancel: () => void = ignore;
    // The signal is not passed to Node, which would destroy the connection on a later abort.
    const onAbort = (): void => {
      cancel();
      reject(abortReason(signal));
    };
    onceAborted(signal, onAbort); // throws if the signal does
    cancel = beginConnecting(endpoint, (result) => {
      forgetAborted(signal, onAbort);
      if (isError(result)) reject(result);
      else resolveOpened(result);
    });
  });
}
