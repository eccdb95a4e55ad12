/** The states of a connection, as its transport has them, and the moves between them: the one place that names them. */

/**
 *   - `open`: both directions work, or one of them has been ended in order.
 *   - `securing`: `startTls()` is under way; nothing is delivered and nothing may be written.
 *   - `failing`: a write failed, so nothing more can be sent. What was received before is still delivered, then the connection is lost.
 *   - `released`: both sides have ended and the socket is closed; the protocol hears of the loss after `close()` or `abort()`.
 *   - `closing`: `close()`, `abort()` or an error has ended the connection; the protocol is about to hear of the loss.
 *   - `replaced`: another transport has taken over the connection; the protocol hears of the loss from that one.
 *   - `lost`: `connectionLost()` has been called.
 */
export type TransportState = "open" | "securing" | "failing" | "released" | "closing" | "replaced" | "lost";

/** Where each state may lead. */
export const TRANSITIONS: Readonly<Record<TransportState, readonly TransportState[]>> = {
  open: ["securing", "failing", "released", "closing", "lost"],
  securing: ["replaced", "closing", "lost"],
  failing: ["closing", "lost"],
  released: ["closing", "lost"],
  closing: ["lost"],
  replaced: [],
  lost: [],
};
