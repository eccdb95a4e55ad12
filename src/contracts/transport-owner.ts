/** `TransportOwner`: the interface through which a transport reports to its server. */
import type { Transport } from "./connection.js";

/** The byte counts of a connection, before encryption. */
export interface ByteCounts {
  /** Bytes received by the program. */
  readonly bytesRead: number;
  /** Bytes that the program has handed to the socket. */
  readonly bytesWritten: number;
}

/** Keeps track of its transports. Python's `Server._attach` and `Server._detach`. */
export interface TransportOwner {
  /** Called when the connection is made. */
  attach(transport: Transport & ByteCounts): void;
  /** Called when the connection has ended. */
  detach(transport: Transport & ByteCounts): void;
}
