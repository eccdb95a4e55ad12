/** `Wire`: what a `SocketTransport` needs of a connected socket. There are three: `HandleWire`, `TlsHandleWire`, and `NodeWire` where those cannot be. */
import type net from "node:net";

/** Hears of a wire's events: the transport. */
export interface WireEvents {
  /** Bytes came in; nobody changes them afterwards. */
  handleData(chunk: Buffer): void;
  /** Where the next bytes should be read to, by a wire that can; `null`: anywhere. Asked after `handleData()`. */
  nextMemory(): Buffer | null;
  /** The peer has ended its side. */
  handleEnd(): void;
  /** The wire broke; `handleClose()` follows. */
  handleError(error: Error): void;
  /** It is closed: the last event. */
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
  /** Whether it was closed before the system had taken everything that was written. */
  readonly dropped: boolean;
  /** Closed, or about to be. */
  readonly destroyed: boolean;
  /** The error that broke it. */
  readonly errored: Error | null;
  /** What extra info can be asked for. */
  readonly facts: SocketFacts;
  /** Tells `events` from now on. */
  listen(events: WireEvents): void;
  /** Begins to read, or goes on. */
  resume(): void;
  /** Stops reading from the system. */
  pause(): void;
  /** Sends, in order. The memory must not be changed before it is sent; returns whether that was done at once. */
  write(data: Uint8Array | readonly Uint8Array[]): boolean;
  /** Ends our side after what was written. The wire closes by itself when the peer has ended its side, too. */
  end(): void;
  /** Ends our side as TLS has it: what still comes is dropped until the peer's end. */
  endSecured(): void;
  /** Closes after what was written. */
  destroySoon(): void;
  /** Closes at once. */
  destroy(): void;
  /** Gives up the wire for a `net.Socket` that is paused and has no listeners of ours. */
  release(): net.Socket;
}
