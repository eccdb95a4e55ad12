/** `Wire`: what a `SocketTransport` needs of a connected socket. There are two: `HandleWire`, and `NodeWire` where that one is not possible. */
import type net from "node:net";

/** Receives the events of a wire: the transport. */
export interface WireEvents {
  /** Bytes were received. Their memory belongs to the receiver. */
  handleData(chunk: Buffer): void;
  /** Where to read the next bytes to, for a wire that can; `null`: anywhere. Asked after `handleData()`. */
  nextMemory(): Buffer | null;
  /** The peer has ended its side. */
  handleEnd(): void;
  /** A write failed: nothing more can be sent, but reading goes on. May come from within `write()`. */
  handleWriteError(error: Error): void;
  /** The wire broke; `handleClose()` follows. May come from within `resume()`. */
  handleError(error: Error): void;
  /** The wire is closed: the last event. */
  handleClose(): void;
  /** The system has taken some of what it had not taken at once. */
  handleWritten(): void;
}

/** What extra info can be asked for. */
export interface SocketFacts {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  setNoDelay(noDelay: boolean): unknown;
  setKeepAlive(enable: boolean, initialDelay: number): unknown;
}

/** A connected socket, and nothing of what Node puts around it. Silent until `listen()`, reads nothing until `resume()`. */
export interface Wire {
  /** Bytes written that the system has not taken. */
  readonly unsent: number;
  /** Whether something was written that the system will never take. */
  readonly dropped: boolean;
  /** Closed, or about to be. */
  readonly destroyed: boolean;
  /** Whether it is closed, or the peer has gone (a reset; on a Unix socket also a close). Reads nothing. See `peer-gone.ts` for what cannot be told. */
  isPeerGone(): boolean;
  /** The error that broke it. */
  readonly errored: Error | null;
  /** What extra info can be asked for. */
  readonly facts: SocketFacts;
  /** Reports to `events` from now on. */
  listen(events: WireEvents): void;
  /** Begins to read, or goes on. */
  resume(): void;
  /** Stops reading from the system. */
  pause(): void;
  /**
   * Sends, in order. There has to be at least one byte.
   *
   * @param isForeign whether some of the memory is the program's, which may change it or give it away once this has returned. Other memory must not be
   *   changed before it is sent.
   * @returns whether it was sent at once
   */
  write(data: Uint8Array | readonly Uint8Array[], isForeign: boolean): boolean;
  /** Ends our side after what was written. The wire closes by itself when the peer has ended its side, too. */
  end(): void;
  /** Closes after what was written; nothing more is delivered. Over TLS it first exchanges close_notify with the peer. */
  close(): void;
  /** Closes at once. */
  destroy(): void;
  /** Gives up the wire for a `net.Socket` that is paused and has no listeners of ours. */
  release(): net.Socket;
}
