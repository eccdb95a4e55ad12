/** What a transport tells the server it belongs to. */
import type { Transport } from "./transport.js";

/** Keeps account of its transports. Python's `Server._attach` and `Server._detach`. */
export interface TransportOwner {
  /** The connection stands. */
  attach(transport: Transport): void;
  /** The connection is gone. */
  detach(transport: Transport): void;
}
