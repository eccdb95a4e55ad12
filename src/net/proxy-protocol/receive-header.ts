/**
 * Waits for the header of an accepted connection. The wire has no transport yet: this module receives its events until the header is
 * complete, then puts the bytes behind it back into the paused wire, from which the transport or the TLS handshake reads them.
 */
import type { NonSharedBuffer } from "../../base/bytes.js";
import { ConnectionTimeoutError, ProxyProtocolError } from "../../base/errors.js";
import { clearTimeout, startLimit } from "../../base/scheduling.js";
import { abortReason, type Canceller, forgetAborted, onceAborted } from "../../base/waiting.js";
import type { ProxyHeader } from "../../contracts/extra-info.js";
import type { Wire, WireEvents } from "../../transports/wire.js";
import { ProxyHeaderDecoder } from "./header-decoder.js";

/** How to wait. */
interface ReceiveOptions {
  /** The peer, for messages. */
  readonly from: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Ends the wait and closes the wire. */
  readonly signal: Canceller;
}

/**
 * Receives the header.
 *
 * @throws ProxyProtocolError if there is no valid header; ConnectionTimeoutError; an error with the code `ECONNRESET` if the connection
 *   ends before. The wire is closed then.
 */
export function receiveHeader(wire: Wire, options: ReceiveOptions): Promise<ProxyHeader> {
  return new Promise((resolve, reject) => new HeaderReception(wire, options, { resolve, reject }).start());
}

/** Settles the promise. */
interface Settle {
  resolve(header: ProxyHeader): void;
  reject(reason: unknown): void;
}

class HeaderReception implements WireEvents {
  readonly #wire: Wire;
  readonly #options: ReceiveOptions;
  readonly #settle: Settle;
  readonly #decoder: ProxyHeaderDecoder;
  #timer: NodeJS.Timeout | undefined;
  #state: "waiting" | "over" = "waiting";

  constructor(wire: Wire, options: ReceiveOptions, settle: Settle) {
    this.#wire = wire;
    this.#options = options;
    this.#settle = settle;
    this.#decoder = new ProxyHeaderDecoder(options.maxBytes);
  }

  start(): void {
    const { from, signal, timeoutMs } = this.#options;
    this.#timer = startLimit(() => {
      const received = `${this.#decoder.received} bytes received`;
      this.#fail(new ConnectionTimeoutError(`the PROXY protocol header from ${from} took longer than ${timeoutMs} ms (${received})`));
    }, timeoutMs);
    onceAborted(signal, this.#onAbort);
    this.#wire.listen(this);
    if (this.#wire.destroyed) this.#failEnded(this.#wire.errored);
    else this.#wire.resume();
  }

  readonly #onAbort = (): void => this.#fail(abortReason(this.#options.signal));

  handleData(chunk: NonSharedBuffer): void {
    if (this.#state === "over") return;
    try {
      const decoded = this.#decoder.push(chunk);
      if (decoded === null) return;
      this.#wire.pause();
      if (decoded.rest.length > 0) this.#wire.unread(decoded.rest);
      this.#end();
      this.#settle.resolve(decoded.header);
    } catch (error) {
      if (!(error instanceof ProxyProtocolError))
        this.#fail(error); // no memory
      else this.#fail(new ProxyProtocolError(`invalid PROXY protocol header from ${this.#options.from}: ${error.message}`));
    }
  }

  /** The header is read into whatever memory the wire uses. */
  nextMemory(): null {
    return null;
  }

  handleEnd(): void {
    this.#failEnded(null);
  }

  handleError(error: Error): void {
    this.#failEnded(error);
  }

  handleClose(): void {
    this.#failEnded(this.#wire.errored);
  }

  /* c8 ignore next 4 -- nothing is written before the header */
  handleWriteError(error: Error): void {
    this.#failEnded(error);
  }
  handleWritten(): void {}

  #failEnded(cause: Error | null): void {
    const received = `${this.#decoder.received} bytes received`;
    const error = new Error(`the connection from ${this.#options.from} ended before its PROXY protocol header was complete (${received})`);
    this.#fail(Object.assign(error, { code: "ECONNRESET" as const, ...(cause === null ? {} : { cause }) }));
  }

  #fail(reason: unknown): void {
    if (!this.#end()) return;
    this.#wire.destroy();
    this.#settle.reject(reason);
  }

  /** @returns false if the wait is already over */
  #end(): boolean {
    if (this.#state === "over") return false;
    this.#state = "over";
    clearTimeout(this.#timer);
    forgetAborted(this.#options.signal, this.#onAbort);
    return true;
  }
}
