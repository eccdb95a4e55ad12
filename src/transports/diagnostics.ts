/**
 * What the library tells on `node:diagnostics_channel`: for logs, metrics and traces, without a line in the program that is looked at.
 *
 * Promises: while nobody listens to a channel, no message is made; per message of a connection nothing is done but to add up its bytes. A
 * subscriber that throws harms no connection: the platform makes it an uncaught exception.
 */
import { channel } from "node:diagnostics_channel";
import { monotonicMs } from "../base/scheduling.js";
import type { Transport } from "../contracts/connection.js";
import type { ByteCounts } from "../contracts/transport-owner.js";

/** The message of `asyncio-streams:connect`: a connection that was opened stands, and its protocol is about to hear of it. */
export interface ConnectMessage {
  /** The connection: `getExtraInfo("peername")` tells where it leads. */
  readonly transport: Transport;
  /** Milliseconds from the call to here, with the TLS handshake where there is one. */
  readonly durationMs: number;
}

/** The message of `asyncio-streams:accept`: a client of a server has its connection, and its protocol is about to hear of it. */
export interface AcceptMessage {
  /** The connection: `getExtraInfo("sockname")` tells which server's it is. */
  readonly transport: Transport;
  /** Milliseconds from accepting the client to here: its wait for a turn (`maxConnections`) and the TLS handshake, where there are such. */
  readonly durationMs: number;
}

/** The message of `asyncio-streams:close`: a connection is over, and its protocol is about to hear of it. */
export interface CloseMessage extends ByteCounts {
  /** The connection: its extra info can still be asked for. */
  readonly transport: Transport;
  /** What ended it; `null` after an orderly end, a `close()` or an `abort()`. */
  readonly error: Error | null;
  /** Milliseconds that the connection stood. */
  readonly durationMs: number;
}

/** The message of `asyncio-streams:error`. */
export interface ErrorMessage {
  /** The connection; `null` if it failed before there was one. */
  readonly transport: Transport | null;
  /** What was thrown. */
  readonly error: unknown;
  /**
   * What failed: opening a connection, taking in a client (its TLS handshake, or the accepting itself), a connection that stood (`close` tells of it, too), or
   * its change to TLS.
   */
  readonly during: "connect" | "accept" | "connection" | "tls-upgrade";
}

/** The message of `asyncio-streams:pause`: one direction of a connection has to wait. */
export interface PauseMessage {
  /** The connection. */
  readonly transport: Transport;
  /** `"reading"`: the program is slower than the peer. `"writing"`: the peer is slower than the program. */
  readonly direction: "reading" | "writing";
  /** Bytes written that the system has not taken yet. */
  readonly writeBufferSize: number;
}

/** The message of `asyncio-streams:resume`: it goes on. */
export interface ResumeMessage extends PauseMessage {
  /** Milliseconds that it waited; `null` if the pause began when nobody listened. */
  readonly durationMs: number | null;
}

/** The message of `asyncio-streams:tls-upgrade`: `startTls()` has succeeded. */
export interface TlsUpgradeMessage {
  /** The connection from now on. */
  readonly transport: Transport;
  /** Which side of the handshake this end is. */
  readonly role: "client" | "server";
  /** Milliseconds from the call to here. */
  readonly durationMs: number;
}

/**
 * The channels, by name, each with its message.
 *
 * @example
 * ```ts
 * import { subscribe } from "node:diagnostics_channel";
 *
 * subscribe("asyncio-streams:close", (message) => {
 *   const { transport, bytesRead, bytesWritten, durationMs } = message as DiagnosticsMessages["asyncio-streams:close"];
 *   console.log(transport.getExtraInfo("peername"), bytesRead, bytesWritten, durationMs);
 * });
 * ```
 */
export interface DiagnosticsMessages {
  /** A connection that was opened stands. */
  "asyncio-streams:connect": ConnectMessage;
  /** A client of a server has its connection. */
  "asyncio-streams:accept": AcceptMessage;
  /** A connection is over. */
  "asyncio-streams:close": CloseMessage;
  /** Something failed. */
  "asyncio-streams:error": ErrorMessage;
  /** One direction of a connection has to wait. */
  "asyncio-streams:pause": PauseMessage;
  /** It goes on. */
  "asyncio-streams:resume": ResumeMessage;
  /** A connection has changed over to TLS. */
  "asyncio-streams:tls-upgrade": TlsUpgradeMessage;
}

// Kept for good: a channel that nobody holds may be collected, and subscribers with it.
const connect = channel("asyncio-streams:connect");
const accept = channel("asyncio-streams:accept");
const close = channel("asyncio-streams:close");
const error = channel("asyncio-streams:error");
const pause = channel("asyncio-streams:pause");
const resume = channel("asyncio-streams:resume");
const tlsUpgrade = channel("asyncio-streams:tls-upgrade");

type Direction = PauseMessage["direction"];

/** When each paused direction was paused, while somebody listens. */
const pausedAt = new WeakMap<Transport, Partial<Record<Direction, number>>>();

/** The clock of all durations. */
export function now(): number {
  return monotonicMs();
}

/** A connection stands; `accepted` tells whose. */
export function tellStarted(transport: Transport, accepted: boolean, begunAt: number): void {
  const started = accepted ? accept : connect;
  if (started.hasSubscribers) started.publish({ transport, durationMs: now() - begunAt } satisfies ConnectMessage & AcceptMessage);
}

/** A connection is over. */
export function tellClosed(
  transport: Transport & ByteCounts,
  reason: Error | null,
  during: "connection" | "tls-upgrade",
  begunAt: number,
): void {
  if (reason !== null) tellError(transport, reason, during);
  if (!close.hasSubscribers) return;
  const { bytesRead, bytesWritten } = transport;
  close.publish({ transport, error: reason, bytesRead, bytesWritten, durationMs: now() - begunAt } satisfies CloseMessage);
}

/** Something went wrong. */
export function tellError(transport: Transport | null, reason: unknown, during: ErrorMessage["during"]): void {
  if (error.hasSubscribers) error.publish({ transport, error: reason, during } satisfies ErrorMessage);
}

/** A direction has to wait. */
export function tellPaused(transport: Transport, direction: Direction): void {
  if (!pause.hasSubscribers && !resume.hasSubscribers) return;
  pausedAt.set(transport, { ...pausedAt.get(transport), [direction]: now() });
  pause.publish({ transport, direction, writeBufferSize: transport.getWriteBufferSize() } satisfies PauseMessage);
}

/** A direction goes on. */
export function tellResumed(transport: Transport, direction: Direction): void {
  if (!resume.hasSubscribers) return;
  const since = pausedAt.get(transport)?.[direction];
  const durationMs = since === undefined ? null : now() - since;
  resume.publish({ transport, direction, writeBufferSize: transport.getWriteBufferSize(), durationMs } satisfies ResumeMessage);
}

/** A connection has changed over to TLS. */
export function tellSecured(transport: Transport, role: TlsUpgradeMessage["role"], begunAt: number): void {
  if (tlsUpgrade.hasSubscribers) tlsUpgrade.publish({ transport, role, durationMs: now() - begunAt } satisfies TlsUpgradeMessage);
}
