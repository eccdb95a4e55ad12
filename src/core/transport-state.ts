/** The states of a connection, as its transport sees them, and the transitions between them. All are defined here. */

/**
 *   - `open`: both directions work, or one of them has ended in order.
 *   - `securing`: `startTls()` is in progress. Nothing is delivered, and writing is not allowed.
 *   - `failing`: a write failed, so nothing more can be sent. Data received before is still delivered, then the connection is lost.
 *   - `released`: both sides have ended and the socket is closed. `connectionLost()` is called only after `close()` or `abort()`.
 *   - `closing`: `close()`, `abort()` or an error has ended the connection. `connectionLost()` follows.
 *   - `replaced`: another transport has taken over the connection and will call `connectionLost()`.
 *   - `lost`: `connectionLost()` has been called.
 */
export type TransportState = "open" | "securing" | "failing" | "released" | "closing" | "replaced" | "lost";

/** The states that may follow each state. */
export const TRANSITIONS: Readonly<Record<TransportState, readonly TransportState[]>> = {
  open: ["securing", "failing", "released", "closing", "lost"],
  securing: ["replaced", "closing", "lost"],
  failing: ["closing", "lost"],
  released: ["closing", "lost"],
  closing: ["lost"],
  replaced: [],
  lost: [],
};
