/** `getsockopt()` and `setsockopt()`: the options of a connection's socket that runtimes do not offer. Python's methods of sockets. */
import { checkInteger, invalidType, isBytes, MAX_INT } from "../base/arguments.js";
import { ownCopy } from "../base/memory.js";
import type { ExtraInfoSource } from "../contracts/extra-info.js";
import { errnoError } from "./errors.js";
import { stableMemory } from "./libc.js";
import { descriptorOf, socketOf } from "./sockets.js";
import { type System, systemFor } from "./system.js";

/** The level of options of every socket. */
export const SOL_SOCKET = 1;
/** The level of options of TCP. */
export const IPPROTO_TCP = 6;

/** `SOL_SOCKET`: the size of the send buffer in bytes. Linux doubles the value that is set. */
export const SO_SNDBUF = 7;
/** `SOL_SOCKET`: the size of the receive buffer in bytes. Linux doubles the value that is set. */
export const SO_RCVBUF = 8;
/** `SOL_SOCKET`: whether an idle connection is probed. */
export const SO_KEEPALIVE = 9;

/** `IPPROTO_TCP`: whether small writes are sent at once. */
export const TCP_NODELAY = 1;
/** `IPPROTO_TCP`: the idle time before the first keep-alive probe, in seconds. */
export const TCP_KEEPIDLE = 4;
/** `IPPROTO_TCP`: the time between two keep-alive probes, in seconds. */
export const TCP_KEEPINTVL = 5;
/** `IPPROTO_TCP`: the number of unanswered keep-alive probes that end the connection. */
export const TCP_KEEPCNT = 6;
/** `IPPROTO_TCP`: whether received data is acknowledged at once. The kernel may reset it. */
export const TCP_QUICKACK = 12;
/** `IPPROTO_TCP`: how long sent data may stay unacknowledged before the connection ends, in milliseconds; 0 for the system's default. */
export const TCP_USER_TIMEOUT = 18;

/** The longest value of an option. */
const MAX_OPTION_BYTES = 65_536;

const INT_BYTES = 4;

/**
 * Returns a socket option of a connection, as an integer.
 *
 * @param connection a writer or a transport over a socket, plain or with TLS
 * @param level the level of the option, such as `SOL_SOCKET`
 * @param name the number of the option, such as `SO_RCVBUF`
 * @throws TypeError if there is no socket; RangeError for a number out of range; InvalidStateError if `loadUnix()` was not called, or the
 *   connection is closed; UnsupportedError for TCP on Deno; the system's error (`ENOPROTOOPT` for an unknown option)
 *
 * @example
 * ```ts
 * const bytes = getsockopt(writer, SOL_SOCKET, SO_RCVBUF);
 * ```
 */
export function getsockopt(connection: ExtraInfoSource, level: number, name: number): number;
/**
 * Returns a socket option of a connection, as bytes.
 *
 * @param connection a writer or a transport over a socket
 * @param level the level of the option
 * @param name the number of the option
 * @param length the maximum length of the value in bytes, 1 to 65,536
 *
 * @example
 * ```ts
 * const linger = getsockopt(writer, SOL_SOCKET, 13, 8); // SO_LINGER, two integers
 * ```
 */
export function getsockopt(connection: ExtraInfoSource, level: number, name: number, length: number): Buffer;
export function getsockopt(connection: ExtraInfoSource, level: number, name: number, length?: number): number | Buffer {
  const system = systemFor("getsockopt");
  checkNames(level, name);
  const bytes = length === undefined ? INT_BYTES : checkInteger("length", length, 1, MAX_OPTION_BYTES);
  const value = readOption(system, connection, level, name, bytes);
  return length === undefined ? new DataView(value.buffer).getInt32(0, true) : ownCopy(value);
}

function readOption(system: System, connection: ExtraInfoSource, level: number, name: number, bytes: number): Uint8Array {
  const fd = descriptorOf(socketOf(connection, "get a socket option"), "get a socket option");
  const value = stableMemory(bytes);
  const length = system.getsockopt(fd, level, name, value);
  if (length < 0) throw errnoError(length, "getsockopt");
  return value.subarray(0, length);
}

/**
 * Sets a socket option of a connection.
 *
 * @param connection a writer or a transport over a socket, plain or with TLS
 * @param level the level of the option, such as `IPPROTO_TCP`
 * @param name the number of the option, such as `TCP_USER_TIMEOUT`
 * @param value an integer of 32 bits, a boolean, or the bytes of a structure
 * @throws TypeError if there is no socket, or for a wrong value; RangeError for a number out of range; InvalidStateError if `loadUnix()`
 *   was not called, or the connection is closed; UnsupportedError for TCP on Deno; the system's error (`ENOPROTOOPT` for an unknown option)
 *
 * @example
 * ```ts
 * setsockopt(writer, IPPROTO_TCP, TCP_USER_TIMEOUT, 10_000);
 * ```
 */
export function setsockopt(connection: ExtraInfoSource, level: number, name: number, value: number | boolean | Uint8Array): void {
  const system = systemFor("setsockopt");
  checkNames(level, name);
  const bytes = valueOf(value);
  const fd = descriptorOf(socketOf(connection, "set a socket option"), "set a socket option");
  const result = system.setsockopt(fd, level, name, bytes);
  if (result < 0) throw errnoError(result, "setsockopt");
}

function checkNames(level: unknown, name: unknown): void {
  checkInteger("level", level, 0, MAX_INT);
  checkInteger("name", name, 0, MAX_INT);
}

function valueOf(value: unknown): Uint8Array {
  if (isBytes(value)) {
    const copy = stableMemory(value.length);
    copy.set(value);
    return copy;
  }
  if (typeof value !== "number" && typeof value !== "boolean") throw invalidType("value", "a number, a boolean or a Uint8Array", value);
  const bytes = stableMemory(INT_BYTES);
  new DataView(bytes.buffer).setInt32(0, checkInteger("value", Number(value), -MAX_INT - 1, MAX_INT), true);
  return bytes;
}

const TCP_INFO = 11;

/** The bytes of `struct tcp_info` that are read; Linux has them since 4.6. */
const TCP_INFO_BYTES = 160;

/** The kernel's statistics of a TCP connection: `TCP_INFO`. Times are in milliseconds. */
export interface TcpInfo {
  /** The state: 1 is established, 8 is closed by the peer. */
  readonly state: number;
  /** The number of unanswered retransmissions in a row. */
  readonly retransmits: number;
  /** The number of unanswered probes in a row. */
  readonly probes: number;
  /** The time until the next retransmission. */
  readonly rto: number;
  /** The smoothed round-trip time. */
  readonly rtt: number;
  /** The variation of the round-trip time. */
  readonly rttVariance: number;
  /** The shortest round-trip time. */
  readonly minRtt: number;
  /** The largest segment that is sent, in bytes. */
  readonly sendMss: number;
  /** The congestion window, in segments. */
  readonly congestionWindow: number;
  /** The number of segments that are sent and not acknowledged. */
  readonly unacknowledged: number;
  /** The number of segments that are taken for lost. */
  readonly lost: number;
  /** The number of all retransmissions so far. */
  readonly totalRetransmits: number;
  /** The bytes that the peer has acknowledged. */
  readonly bytesAcknowledged: bigint;
  /** The bytes that were received. */
  readonly bytesReceived: bigint;
  /** The bytes that the program has written and the system has not sent. */
  readonly notSentBytes: number;
}

/**
 * Returns the kernel's statistics of a TCP connection.
 *
 * @param connection a writer or a transport over TCP, plain or with TLS
 * @throws TypeError if there is no socket; InvalidStateError if `loadUnix()` was not called, or the connection is closed;
 *   UnsupportedError on Deno; the system's `ENOTSUP` if the connection is not over TCP
 *
 * @example
 * ```ts
 * const { rtt, totalRetransmits } = getTcpInfo(writer);
 * ```
 */
export function getTcpInfo(connection: ExtraInfoSource): TcpInfo {
  const system = systemFor("getTcpInfo");
  const { buffer } = readOption(system, connection, IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES);
  const info = new DataView(buffer);
  const int = (at: number): number => info.getUint32(at, true);
  const ms = (at: number): number => int(at) / 1_000;
  return {
    state: info.getUint8(0),
    retransmits: info.getUint8(2),
    probes: info.getUint8(3),
    rto: ms(8),
    sendMss: int(16),
    unacknowledged: int(24),
    lost: int(32),
    rtt: ms(68),
    rttVariance: ms(72),
    congestionWindow: int(80),
    totalRetransmits: int(100),
    bytesAcknowledged: info.getBigUint64(120, true),
    bytesReceived: info.getBigUint64(128, true),
    notSentBytes: int(144),
    minRtt: ms(148),
  };
}
