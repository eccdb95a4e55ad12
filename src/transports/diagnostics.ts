/**
 * Publishes events on `node:diagnostics_channel` for logs, metrics and traces, without a change to the observed program.
 *
 * Promises: a channel without subscribers creates no messages; the only cost per read or write is counting its bytes. A subscriber that
 * throws does not harm any connection: the runtime turns the exception into an uncaught exception.
 */
import { channel } from "node:diagnostics_channel";
import { monotonicMs } from "../base/scheduling.js";
import type { ByteCounts, Transport } from "../contracts/connection.js";

/** The message of `asyncio-streams:connect`: an outgoing connection is established. Published before the protocol's `connectionMade()`. */
export interface ConnectMessage {
  /** The connection; `getExtraInfo("peername")` returns the peer's address. */
  readonly transport: Transport;
  /** Milliseconds from the call to this message, including the TLS handshake, if any. */
  readonly durationMs: number;
}

/**
 * The message of `asyncio-streams:accept`: a server has accepted a client's connection. Published before the protocol's `connectionMade()`.
 */
export interface AcceptMessage {
  /** The connection; `getExtraInfo("sockname")` identifies the server. */
  readonly transport: Transport;
  /**
   * Milliseconds from accepting the client to this message, including the wait for a turn (`maxConnections`) and the TLS handshake, if any.
   */
  readonly durationMs: number;
}

/** The message of `asyncio-streams:close`: a connection has ended. Published before the protocol's `connectionLost()`. */
export interface CloseMessage extends ByteCounts {
  /** The connection; its extra info is still available. */
  readonly transport: Transport;
  /** The error that ended the connection; `null` after an orderly end, a `close()` or an `abort()`. */
  readonly error: Error | null;
  /** Lifetime of the connection in milliseconds. */
  readonly durationMs: number;
}

/** The message of `asyncio-streams:error`: an operation or a connection has failed. */
export interface ErrorMessage {
  /** The connection; `null` if the failure happened before there was one. */
  readonly transport: Transport | null;
  /** The value that was thrown. */
  readonly error: unknown;
  /**
   * What failed: opening a connection, accepting a client (including its TLS handshake), an established connection (which `close` reports,
   * too), or its change to TLS.
   */
  readonly during: "connect" | "accept" | "connection" | "tls-upgrade";
}

/** The message of `asyncio-streams:pause`: one direction of a connection is paused. */
export interface PauseMessage {
  /** The connection. */
  readonly transport: Transport;
  /** `"reading"`: the program is slower than the peer. `"writing"`: the peer is slower than the program. */
  readonly direction: "reading" | "writing";
  /** Number of written bytes that the system has not accepted yet. */
  readonly writeBufferSize: number;
}

/** The message of `asyncio-streams:resume`: the paused direction has resumed. */
export interface ResumeMessage extends PauseMessage {
  /** Length of the pause in milliseconds; `null` if the channel had no subscribers when the pause began. */
  readonly durationMs: number | null;
}

/** The message of `asyncio-streams:tls-upgrade`: `startTls()` has succeeded. */
export interface TlsUpgradeMessage {
  /** The new transport of the connection. */
  readonly transport: Transport;
  /** The role of this end in the handshake. */
  readonly role: "client" | "server";
  /** Milliseconds from the call to this message. */
  readonly durationMs: number;
}

/**
 * The channel names, each with the type of its message.
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
  /** An outgoing connection is established. */
  "asyncio-streams:connect": ConnectMessage;
  /** A server has accepted a client's connection. */
  "asyncio-streams:accept": AcceptMessage;
  /** A connection has ended. */
  "asyncio-streams:close": CloseMessage;
  /** An operation or a connection has failed. */
  "asyncio-streams:error": ErrorMessage;
  /** One direction of a connection is paused. */
  "asyncio-streams:pause": PauseMessage;
  /** The paused direction has resumed. */
  "asyncio-streams:resume": ResumeMessage;
  /** A connection has changed over to TLS. */
  "asyncio-streams:tls-upgrade": TlsUpgradeMessage;
}

// Kept permanently: without a reference, a channel may be garbage-collected with its subscribers.
const connect = channel("asyncio-streams:connect");
const accept = channel("asyncio-streams:accept");
const close = channel("asyncio-streams:close");
const error = channel("asyncio-streams:error");
const pause = channel("asyncio-streams:pause");
const resume = channel("asyncio-streams:resume");
const tlsUpgrade = channel("asyncio-streams:tls-upgrade");

type Direction = PauseMessage["direction"];

/** When each paused direction was paused; recorded only while a channel has subscribers. */
const pausedAt = new WeakMap<Transport, Partial<Record<Direction, number>>>();

/** The clock of all durations, in milliseconds. */
export function now(): number {
  return monotonicMs();
}

/** Publishes that a connection is established, as `accept` or `connect`. */
export function publishStarted(transport: Transport, accepted: boolean, begunAt: number): void {
  const started = accepted ? accept : connect;
  if (started.hasSubscribers) started.publish({ transport, durationMs: now() - begunAt } satisfies ConnectMessage & AcceptMessage);
}

/** Transports that are a part of another connection, which publishes its own events. */
const muted = new WeakSet<Transport>();

/** Publishes nothing about a transport from now on. */
export function mute(transport: Transport): void {
  muted.add(transport);
}

/** Publishes that a connection has ended. */
export function publishClosed(
  transport: Transport & ByteCounts,
  reason: Error | null,
  during: "connection" | "tls-upgrade",
  begunAt: number,
): void {
  if (reason !== null) publishError(transport, reason, during);
  if (!close.hasSubscribers || muted.has(transport)) return;
  const { bytesRead, bytesWritten } = transport;
  close.publish({ transport, error: reason, bytesRead, bytesWritten, durationMs: now() - begunAt } satisfies CloseMessage);
}

/** Publishes a failure. */
export function publishError(transport: Transport | null, reason: unknown, during: ErrorMessage["during"]): void {
  if (error.hasSubscribers && (transport === null || !muted.has(transport)))
    error.publish({ transport, error: reason, during } satisfies ErrorMessage);
}

/** Publishes that a direction is paused. */
export function publishPaused(transport: Transport, direction: Direction): void {
  if ((!pause.hasSubscribers && !resume.hasSubscribers) || muted.has(transport)) return;
  pausedAt.set(transport, { ...pausedAt.get(transport), [direction]: now() });
  pause.publish({ transport, direction, writeBufferSize: transport.getWriteBufferSize() } satisfies PauseMessage);
}

/** Publishes that a direction has resumed. */
export function publishResumed(transport: Transport, direction: Direction): void {
  if (!resume.hasSubscribers || muted.has(transport)) return;
  const since = pausedAt.get(transport)?.[direction];
  const durationMs = since === undefined ? null : now() - since;
  resume.publish({ transport, direction, writeBufferSize: transport.getWriteBufferSize(), durationMs } satisfies ResumeMessage);
}

/** Publishes that a connection has changed over to TLS. */
export function publishSecured(transport: Transport, role: TlsUpgradeMessage["role"], begunAt: number): void {
  if (tlsUpgrade.hasSubscribers) tlsUpgrade.publish({ transport, role, durationMs: now() - begunAt } satisfies TlsUpgradeMessage);
}
