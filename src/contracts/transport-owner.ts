/** What a transport tells the server it belongs to. */
import type { Transport } from "./connection.js";

/** How much a connection has carried, before encryption: what the program has received and what it has handed to the socket. */
export interface ByteCounts {
  /** Bytes received. */
  readonly bytesRead: number;
  /** Bytes handed to the socket. */
  readonly bytesWritten: number;
}

/** Keeps account of its transports. Python's `Server._attach` and `Server._detach`. */
export interface TransportOwner {
  /** The connection stands. */
  attach(transport: Transport & ByteCounts): void;
  /** The connection is gone. */
  detach(transport: Transport & ByteCounts): void;
}
