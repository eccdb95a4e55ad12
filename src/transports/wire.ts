/**
 * `Wire`: what a `SocketTransport` needs from a connected socket. `HandleWire` implements it, and `NodeWire` where `HandleWire` is not
 * possible.
 */

import type net from "node:net";
import type { NonSharedBuffer } from "../base/bytes.js";

/** Receives the events of a wire. The transport implements it. */
export interface WireEvents {
  /** Bytes were received. The receiver owns their memory. */
  handleData(chunk: NonSharedBuffer): void;
  /** Returns the memory for the next read, if the wire can use it; `null` leaves the choice to the wire. Called after `handleData()`. */
  nextMemory(): NonSharedBuffer | null;
  /** The peer has ended its side (EOF). */
  handleEnd(): void;
  /** A write failed. Nothing more can be sent, but reading continues. May be called from within `write()`. */
  handleWriteError(error: Error): void;
  /** The wire broke; `handleClose()` follows. May be called from within `resume()`. */
  handleError(error: Error): void;
  /** The wire is closed. This is the last event. */
  handleClose(): void;
  /** The system has accepted some of the bytes that it did not accept immediately. */
  handleWritten(): void;
}

/** The socket's properties for the extra info. */
export interface SocketInfo {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  setNoDelay(noDelay: boolean): unknown;
  setKeepAlive(enable: boolean, initialDelay: number, interval?: number, count?: number): unknown;
  /** Lets the socket keep the process alive (the default), or not. */
  ref?(): unknown;
  unref?(): unknown;
}

/** A connected socket without Node's streams around it. It reports nothing until `listen()` and reads nothing until `resume()`. */
export interface Wire {
  /** The descriptor; negative if the wire is closed, or the runtime does not report it. */
  readonly fd: number;
  /** Number of written bytes that the system has not accepted. */
  readonly unsent: number;
  /** Whether some written bytes were dropped: the system will never accept them. */
  readonly dropped: boolean;
  /** Whether the wire is closed, or about to be. */
  readonly destroyed: boolean;
  /**
   * Whether the wire is closed or the peer is gone (a reset; on a Unix socket also a close). Reads nothing. See `socket-probes.ts` for the
   * cases that cannot be detected.
   */
  isPeerGone(): boolean;
  /** The error that broke the wire. */
  readonly errored: Error | null;
  /** The socket's properties for the extra info. */
  readonly facts: SocketInfo;
  /** Reports events to `events` from now on. */
  listen(events: WireEvents): void;
  /** Starts or resumes reading. */
  resume(): void;
  /** Stops reading from the system. */
  pause(): void;
  /** Delivers at once what was received and not delivered, also while reading is paused. */
  deliverAll(): void;
  /** Puts received bytes back into the paused wire. They are delivered again first, after the next `resume()`. */
  unread(chunk: NonSharedBuffer): void;
  /**
   * Sends data, in order. There must be at least one byte.
   *
   * @param isForeign whether some of the memory belongs to the program, which may change or detach it once this call has returned. Other
   *   memory must not be changed before it is sent.
   * @returns whether all data was sent immediately
   */
  write(data: Uint8Array | readonly Uint8Array[], isForeign: boolean): boolean;
  /** Ends our side after all written data. The wire closes by itself when the peer has ended its side, too. */
  end(): void;
  /** Closes after all written data and delivers nothing more. Over TLS, it first exchanges close_notify with the peer. */
  close(): void;
  /** Closes immediately. */
  destroy(): void;
  /** Gives up the wire and returns a paused `net.Socket` without the wire's listeners. */
  release(): net.Socket;
}
