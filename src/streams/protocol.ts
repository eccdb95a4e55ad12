/**
 * `StreamReaderProtocol`: hears the transport's events, feeds the reader, and holds back the writer. Python's `asyncio.StreamReaderProtocol`: a
 * `WriterFlow` (Python's `FlowControlMixin`) that also feeds a reader.
 *
 * It is where a stream pair meets a transport. On a server it also starts the callback and answers for what the callback throws.
 */
import { checkFunction } from "../base/arguments.js";
import { callForeign, describe, emitWarning } from "../base/thrown.js";
import type { Protocol, Transport } from "../contracts/connection.js";
import { StreamReader } from "./reader.js";
import { StreamWriter } from "./writer.js";
import { WriterFlow } from "./writer-flow.js";

/** What a client's callback is told beside its streams. */
export interface ClientContext {
  /** Aborted when the server is shutting down: finish what is at hand and return. */
  readonly signal: AbortSignal;
}

/** Serves one client. May be async; what it throws is reported, and its connection closed. */
export type ClientConnectedCallback = (reader: StreamReader, writer: StreamWriter, context: ClientContext) => void | Promise<void>;

/** Hears of what went wrong with one client; `writer` is `null` if it failed before there was one. */
export type ClientErrorHandler = (error: unknown, writer: StreamWriter | null) => void;

/** How a server's protocols report. */
export interface StreamReaderProtocolOptions {
  /** Hears what the callback throws. Default: a process warning with the stack. */
  readonly onClientError?: ClientErrorHandler | undefined;
}

/** The default for `onClientError`: a process warning, which Node prints with the stack. */
function warnOfClientError(error: unknown): void {
  emitWarning(`a client's connection failed: ${describe(error)}`, {
    type: "ClientErrorWarning",
    code: "ASYNCIO_STREAMS_CLIENT_ERROR",
  });
}

/** Reports an error of one client; a handler that throws is itself reported, and harms nobody. */
export function reportClientError(handler: ClientErrorHandler | undefined, error: unknown, writer: StreamWriter | null): void {
  if (handler === undefined) {
    warnOfClientError(error);
    return;
  }
  callForeign(() => handler(error, writer), warnOfClientError);
}

/**
 * The protocol behind a `[reader, writer]` pair.
 *
 * @example
 * ```ts
 * const reader = new StreamReader();
 * const protocol = new StreamReaderProtocol(reader);
 * const [transport] = await createUnixConnection(() => protocol, "/run/app.sock");
 * const writer = new StreamWriter(transport, protocol, reader);
 * ```
 */
export class StreamReaderProtocol extends WriterFlow implements Protocol {
  readonly #reader: StreamReader | null;
  readonly #clientConnected: ClientConnectedCallback | undefined;
  readonly #options: StreamReaderProtocolOptions | undefined;
  #transport: Transport | null = null;
  #shutdown: AbortController | null = null;
  #shutdownRequested = false;
  #callbackDone = false;

  /**
   * Makes one that waits for its transport.
   *
   * @param reader is fed with what the transport receives
   * @param clientConnectedCb called with a reader and a new writer once the connection stands: the server's side
   * @param options how the callback's errors are reported
   */
  constructor(reader: StreamReader | null, clientConnectedCb?: ClientConnectedCallback | null, options?: StreamReaderProtocolOptions) {
    if (clientConnectedCb !== undefined && clientConnectedCb !== null) checkFunction("clientConnectedCb", clientConnectedCb);
    super();
    this.#reader = reader;
    this.#clientConnected = clientConnectedCb ?? undefined;
    this.#options = options;
  }

  /** Gives the reader its transport, and on a server calls the callback, synchronously. */
  connectionMade(transport: Transport): void {
    this.#transport = transport;
    this.#reader?.setTransport(transport);
    if (this.#clientConnected !== undefined) this.#callClientConnected(this.#clientConnected, transport);
  }

  #callClientConnected(clientConnected: ClientConnectedCallback, transport: Transport): void {
    const writer = new StreamWriter(transport, this, this.#reader);
    // Closed by the writer: after startTls() it has another transport.
    const onDone = (): void => {
      this.#callbackDone = true;
      if (this.#shutdownRequested) writer.close();
    };
    const onFailure = (error: unknown): void => {
      try {
        reportClientError(this.#options?.onClientError, error, writer);
      } finally {
        writer.close();
      }
    };
    callForeign(() => clientConnected(this.#reader as StreamReader, writer, new CallbackContext(this)), onFailure, onDone);
  }

  /**
   * The signal of the callback's context, made when it is looked at: most callbacks never do.
   *
   * @internal
   */
  get shutdownSignal(): AbortSignal {
    if (this.#shutdown === null) {
      this.#shutdown = new AbortController();
      if (this.#shutdownRequested) this.#abortContext();
    }
    return this.#shutdown.signal;
  }

  #abortContext(): void {
    this.#shutdown?.abort(new DOMException("the server is shutting down", "AbortError"));
  }

  /**
   * Ends the conversation at its next pause: the callback's signal is aborted, and a read that would wait for a new message finds the end of the
   * stream instead. An async callback that is done, or will be, has its connection closed; of a plain one
   * nobody knows when it is done.
   */
  shutdownRequested(): void {
    if (this.#shutdownRequested) return;
    this.#shutdownRequested = true;
    this.#abortContext();
    this.#reader?.incoming.endWhenIdle();
    if (this.#callbackDone) this.#transport?.close();
  }

  /**
   * The side of the connection that this end is on in TLS: the one that called `startServer()` is the server.
   *
   * @internal
   */
  override get tlsRole(): "client" | "server" {
    return this.#clientConnected === undefined ? "client" : "server";
  }

  /**
   * The connection has changed over to another transport.
   *
   * @internal
   */
  override replaceTransport(transport: Transport): void {
    this.#transport = transport;
    this.#reader?.incoming.replaceTransport(transport);
  }

  /** Feeds the reader. */
  dataReceived(data: Buffer): void {
    this.turned();
    this.#reader?.incoming.turned();
    if (!this.lost) this.#reader?.feedData(data);
  }

  /**
   * Where the transport should read to next.
   *
   * @internal
   */
  "asyncio-streams:nextMemory"(): Buffer | null {
    const reader = this.#reader;
    // What is read there is not for other eyes before the message is whole: an overriding method would be handed memory that is still read into.
    const isOurs =
      this.dataReceived === StreamReaderProtocol.prototype.dataReceived && reader?.feedData === StreamReader.prototype.feedData;
    return isOurs ? (reader?.incoming.nextMemory() ?? null) : null;
  }

  /** Feeds the end; keeps our side open, except over TLS, which cannot. */
  eofReceived(): boolean {
    if (!this.lost) this.#reader?.feedEof();
    return (this.#transport?.getExtraInfo("sslcontext") ?? null) === null;
  }

  /** Ends the reader, and everybody who waits for the writer. */
  override connectionLost(error: Error | null): void {
    if (this.lost) return;
    if (error === null) this.#reader?.feedEof();
    else this.#reader?.incoming.failAfterData(error);
    super.connectionLost(error);
  }
}

class CallbackContext implements ClientContext {
  readonly #protocol: StreamReaderProtocol;

  constructor(protocol: StreamReaderProtocol) {
    this.#protocol = protocol;
  }

  get signal(): AbortSignal {
    return this.#protocol.shutdownSignal;
  }
}
