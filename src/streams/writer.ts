/**
 * `StreamWriter`: writing with back-pressure, and the end of a connection. Python's `asyncio.StreamWriter`.
 *
 * It holds no bytes: `write()` hands them to the transport at once, and `drain()` waits for the transport (through the protocol) when too much has
 * piled up there.
 */
import { checkOptions, type SignalOptions } from "../base/arguments.js";
import { liveSignal } from "../base/waiting.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import type { Transport, WriteData } from "../contracts/transport.js";
import type { StreamReader } from "./reader.js";
import type { WriterFlow } from "./writer-flow.js";

/**
 * Writes bytes and text, and closes the connection.
 *
 * `write()` never waits; follow it with `await writer.drain()` wherever much may be written, so that a slow peer slows the program instead of
 * filling its memory.
 *
 * @example
 * ```ts
 * writer.write("hello\n");
 * await writer.drain();
 * writer.close();
 * await writer.waitClosed();
 * ```
 */
export class StreamWriter implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #protocol: WriterFlow;
  readonly #reader: StreamReader | null;

  /**
   * @param transport what is written to
   * @param protocol the transport's protocol, which says when to wait
   * @param reader the other half of the pair: its exception is thrown by `drain()`
   */
  constructor(transport: Transport, protocol: WriterFlow, reader: StreamReader | null = null) {
    this.#transport = transport;
    this.#protocol = protocol;
    this.#reader = reader;
  }

  /** The transport underneath. */
  get transport(): Transport {
    return this.#transport;
  }

  /**
   * Sends bytes or text (as UTF-8), without waiting. What is written in one turn of the event loop goes out together, in order. The bytes must not
   * be changed before they are sent. Once the connection is closed or lost, nothing is sent; `drain()` tells.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `data` is neither a `Uint8Array` nor a string
   * @throws InvalidStateError after `writeEof()`
   */
  write(data: WriteData): void {
    this.#transport.write(data);
  }

  /** Sends several pieces, as if they were joined; otherwise like `write()`. */
  writelines(list: Iterable<WriteData>): void {
    this.#transport.writelines(list);
  }

  /**
   * Waits while more is buffered than the high-water mark (64 KiB), until it has fallen to the low-water mark (16 KiB). Any number of callers may
   * wait.
   *
   * **If aborted**, only the wait ends: what was written is still sent.
   *
   * @param options `signal` ends the wait
   * @throws the reader's exception, if one was set
   * @throws ConnectionLostError once the connection is gone; after `close()` with nothing left to send, as soon as it is. The socket's own error is the `cause`.
   *
   * @example
   * ```ts
   * for (const chunk of chunks) {
   *   writer.write(chunk);
   *   await writer.drain({ signal });
   * }
   * ```
   */
  drain(options?: SignalOptions): Promise<void> {
    try {
      checkOptions("options", options);
      const signal = liveSignal(options);
      const exception = this.#reader?.exception() ?? null;
      if (exception !== null && exception !== this.#protocol.lossError) throw exception;
      // CPython gives the loop a turn here, in which the loss is seen. A Node socket takes longer to close, so the loss itself is waited for.
      if (this.#transport.isClosing() && this.#transport.getWriteBufferSize() === 0) return this.#protocol.drainedNever(signal);
      return this.#protocol.drained(signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Closes the connection: what was written is sent first. Does not wait; see `waitClosed()`. */
  close(): void {
    this.#transport.close();
  }

  /** Whether the connection is closed or closing. */
  isClosing(): boolean {
    return this.#transport.isClosing();
  }

  /**
   * Waits until the connection is closed: call `close()` first.
   *
   * **If aborted**, only the wait ends.
   *
   * @param options `signal` ends the wait
   * @throws the error that ended the connection, if one did
   */
  waitClosed(options?: SignalOptions): Promise<void> {
    try {
      checkOptions("options", options);
      return this.#protocol.closed(liveSignal(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Ends our side of the connection after what was written; the peer reads EOF, and we can still read.
   *
   * @throws InvalidStateError over TLS, where a side cannot be ended alone
   */
  writeEof(): void {
    this.#transport.writeEof();
  }

  /** Whether `writeEof()` is possible: false over TLS. */
  canWriteEof(): boolean {
    return this.#transport.canWriteEof();
  }

  /**
   * What the transport knows of the connection, by Python's key.
   *
   * @param name such as `"peername"`
   * @param defaultValue what to return if it is not known, default `null`
   */
  getExtraInfo<Key extends keyof ExtraInfo>(name: Key): ExtraInfo[Key] | null;
  getExtraInfo<Key extends keyof ExtraInfo, Default>(name: Key, defaultValue: Default): ExtraInfo[Key] | Default;
  getExtraInfo(name: string, defaultValue?: unknown): unknown;
  getExtraInfo(name: string, defaultValue: unknown = null): unknown {
    return this.#transport.getExtraInfo(name, defaultValue);
  }

  /**
   * For `await using`: closes and waits. An error that ended the connection is not thrown here, where it would hide the one that ended the
   * block; `drain()` and `waitClosed()` throw it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.waitClosed().catch(() => {});
  }
}
