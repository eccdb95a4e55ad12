/**
 * `LateData`: counts what a TLS peer sends after `close()`, and reports a peer that continues to send, for example because a download was
 * in progress.
 *
 * Promises: `onTooMuch` is called soon after the peer has sent more than `LATE_BYTES` since close_notify was sent. Until close_notify is
 * sent, the connection is not cut, so that our data reaches the peer: if the peer sends too much, the socket is only paused.
 *
 * CPython: cuts the connection at the first data after close_notify, with APPLICATION_DATA_AFTER_CLOSE_NOTIFY.
 *
 * Node: after it has sent close_notify, the TLS engine often stops delivering data, but continues to read it. So the bytes are counted at
 * the socket below TLS. That socket emits no events, so a timer checks its count. To see it: `tls.connect()`, `end()` during a download,
 * and compare `bytesRead` of both sockets.
 */
import type { Socket } from "node:net";
import { startTimeout, stopTimeout, type Timeout } from "../base/timeouts.js";
import { socketBelow } from "./tls-carrier.js";

/**
 * How much a peer may send after our close_notify, in bytes: what is on its way when close_notify reaches it, for 10 Mbit/s and 200 ms or
 * 100 Mbit/s and 20 ms.
 */
const LATE_BYTES = 262_144;

/** The interval between two checks, in milliseconds: the shortest one while data arrives, doubled up to the longest one while none does. */
const MIN_CHECK_INTERVAL_MS = 5;
const MAX_CHECK_INTERVAL_MS = 80;

export class LateData {
  readonly #socket: Socket;
  /** The socket whose bytes are counted. */
  readonly #counted: { readonly bytesRead: number };
  readonly #unsent: () => number;
  readonly #onTooMuch: (error: Error) => void;
  /** The count at `close()`, later when close_notify was sent. */
  #from: number;
  #seen: number;
  /** Whether TLS has encrypted all our data, and close_notify behind it. */
  #finished = false;
  /** Whether all of it was sent. */
  #notified = false;
  #timer: Timeout | undefined;

  /**
   * Begins to watch a secured socket that is about to end.
   *
   * @param unsent returns the number of bytes that wait to be sent. Bun: of TLS in TLS, more wait than the socket tells.
   * @param onTooMuch called at most once, with the error that ends the connection
   */
  constructor(socket: Socket, unsent: () => number, onTooMuch: (error: Error) => void) {
    this.#socket = socket;
    this.#unsent = unsent;
    this.#counted = socketBelow(socket);
    this.#onTooMuch = onTooMuch;
    this.#from = this.#seen = this.#counted.bytesRead;
    socket.once("finish", () => {
      this.#finished = true;
      this.#noteSent();
    });
    this.#checkAfter(MIN_CHECK_INTERVAL_MS);
  }

  /** Notes if close_notify was sent, after all our data. */
  #noteSent(): void {
    if (!this.#finished || this.#notified || this.#unsent() > 0) return;
    this.#notified = true;
    this.#from = this.#counted.bytesRead;
    if (this.#timer !== undefined) this.#socket.resume();
  }

  #checkAfter(ms: number): void {
    this.#timer = startTimeout(ms, () => {
      const { bytesRead } = this.#counted;
      const isIdle = bytesRead === this.#seen;
      this.#seen = bytesRead;
      if (this.check()) this.#checkAfter(isIdle ? Math.min(2 * ms, MAX_CHECK_INTERVAL_MS) : MIN_CHECK_INTERVAL_MS);
    });
  }

  /** Checks the count. Returns false if the connection was cut, or is not watched any more. */
  check(): boolean {
    if (this.#timer === undefined) return false;
    this.#noteSent();
    const late = this.#counted.bytesRead - this.#from;
    if (late <= LATE_BYTES) return true;
    if (!this.#notified) {
      this.#socket.pause();
      return true;
    }
    this.stop();
    const error = new Error(`the peer went on sending after close_notify: the connection was cut after ${late} bytes`);
    this.#onTooMuch(Object.assign(error, { code: "ERR_SSL_APPLICATION_DATA_AFTER_CLOSE_NOTIFY" as const }));
    return false;
  }

  /** Stops watching. */
  stop(): void {
    stopTimeout(this.#timer);
    this.#timer = undefined;
  }
}
