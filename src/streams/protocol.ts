/**
 * `StreamReaderProtocol`: receives the transport's events, feeds the reader, and applies backpressure to the writer. Python's
 * `asyncio.StreamReaderProtocol`: a `FlowControl` (Python's `FlowControlMixin`) that also feeds a reader.
 *
 * Programs extend this class. So it has no members but those of `Protocol`: everything internal is a #private field, or behind one of the
 * functions that the other files of this library import.
 *
 * It connects a stream pair to a transport. On a server it also calls the client callback and reports what the callback throws.
 */

import { checkFunction, invalidType } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { debugMode } from "../base/debug-mode.js";
import { callForeign, describe, emitWarning } from "../base/errors.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";
import type { Protocol, Transport } from "../contracts/connection.js";
import type { SocketAddress } from "../contracts/extra-info.js";
import { engineOf } from "./base-reader.js";
import { FlowControl } from "./flow-control.js";
import type { ReadEngine } from "./read-engine.js";
import { StreamReader } from "./reader.js";
import { type FedReader, weakReader } from "./watched-pair.js";
import { StreamWriter } from "./writer.js";
import { WriterFlow } from "./writer-flow.js";

/** The context passed to a client callback after its streams. */
export interface ClientContext {
  /** Aborted when the server shuts down. The callback should finish its current work and return. */
  readonly signal: AbortSignal;
  /**
   * Aborted when the client has ended its side (EOF) or the connection is lost, so that work for a client that has left can stop. Its
   * reason is the error of the connection, or an `AbortError` whose message says which side has ended the connection. A client that
   * half-closes its connection and still reads the answer also ends its side. The end is noticed when it arrives: not while more than
   * twice the reader's limit is unread.
   */
  readonly ended: AbortSignal;
}

/** Serves one client. May be async. If it throws, the error is reported and the connection closed. `Address` as in `StreamWriter`. */
export type ClientConnectedCallback<Address extends SocketAddress = SocketAddress> = (
  reader: StreamReader,
  writer: StreamWriter<Address>,
  context: ClientContext,
) => void | Promise<void>;

/** Receives an error of one client. `writer` is `null` if the error happened before there was a writer. */
export type ClientErrorHandler = (error: unknown, writer: StreamWriter | null) => void;

/** Options of `StreamReaderProtocol`. */
export interface StreamReaderProtocolOptions {
  /** Receives what the callback throws. Default: a process warning with the stack. */
  readonly onClientError?: ClientErrorHandler | undefined;
}

const PROTOCOL_OPTIONS: KnownOptions = knownOptions<StreamReaderProtocolOptions>({ onClientError: true });

/** The default `onClientError`: emits a process warning, which Node prints with the stack. */
function warnOfClientError(error: unknown): void {
  emitWarning(`a client's connection failed: ${describe(error)}`, {
    type: "ClientErrorWarning",
    code: "ASYNCIO_STREAMS_CLIENT_ERROR",
  });
}

/** Reports an error of one client. An error that the handler throws is reported as a warning. */
export function reportClientError(handler: ClientErrorHandler | undefined, error: unknown, writer: StreamWriter | null): void {
  if (handler === undefined) {
    warnOfClientError(error);
    return;
  }
  callForeign(() => handler(error, writer), warnOfClientError);
}

/** Returns the signal for the shutdown of the server. */
let shutdownSignalOf: (protocol: StreamReaderProtocol) => AbortSignal;
/** Returns the signal for the end of a connection. */
let endedSignalOf: (protocol: StreamReaderProtocol) => AbortSignal;
/** Sets who receives what the callback of a protocol throws, if the protocol has no `onClientError` of its own. */
export let reportErrorsOf: (protocol: StreamReaderProtocol, handler: ClientErrorHandler) => void;

/** What a writer uses of the protocol, and the transport of the connection. */
class StreamFlow extends WriterFlow {
  transport: Transport | null = null;
  readonly #engine: ReadEngine | null;
  readonly #tlsRole: "client" | "server";

  constructor(engine: ReadEngine | null, tlsRole: "client" | "server") {
    super();
    this.#engine = engine;
    this.#tlsRole = tlsRole;
  }

  override get engine(): ReadEngine | null {
    return this.#engine;
  }

  /** The end that called `startServer()` is the server. */
  override get tlsRole(): "client" | "server" {
    return this.#tlsRole;
  }

  override replaceTransport(transport: Transport): void {
    this.transport = transport;
    this.#engine?.replaceTransport(transport);
  }
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
export class StreamReaderProtocol extends FlowControl implements Protocol {
  static {
    shutdownSignalOf = (protocol) => protocol.#shutdownSignal();
    endedSignalOf = (protocol) => protocol.#endedSignal();
    reportErrorsOf = (protocol, handler) => {
      protocol.#onClientError ??= handler;
    };
  }

  readonly #flow: StreamFlow;
  /** In debug mode a weak one once the connection is made. */
  #reader: FedReader | null;
  readonly #engine: ReadEngine | null;
  readonly #clientConnected: ClientConnectedCallback | undefined;
  #onClientError: ClientErrorHandler | undefined;
  #shutdown: AbortController | null = null;
  #shutdownRequested = false;
  /** Why the connection has ended for the callback: which side ended it, or the error. `null` before. */
  #end: "client" | "server" | Error | null = null;
  #ended: AbortController | null = null;
  #callbackDone = false;

  /**
   * Makes a protocol without a transport; `connectionMade()` sets it.
   *
   * @param reader receives the transport's data
   * @param clientConnectedCb for a server: called with the reader and a new writer when the connection is made
   * @param options `onClientError`: receives the callback's errors
   * @throws TypeError `ERR_INVALID_ARG_TYPE` if `reader` is neither a `StreamReader` nor `null`, or the callback is not a function
   */
  constructor(reader: StreamReader | null, clientConnectedCb?: ClientConnectedCallback | null, options?: StreamReaderProtocolOptions) {
    if (clientConnectedCb !== undefined && clientConnectedCb !== null) checkFunction("clientConnectedCb", clientConnectedCb);
    if (reader !== null && !(reader instanceof StreamReader)) throw invalidType("reader", "a StreamReader or null", reader);
    checkKnownOptions("new StreamReaderProtocol", options, PROTOCOL_OPTIONS);
    if (options?.onClientError !== undefined) checkFunction("onClientError", options.onClientError);
    const engine = reader === null ? null : engineOf(reader);
    const flow = new StreamFlow(engine, (clientConnectedCb ?? null) === null ? "client" : "server");
    super(flow);
    this.#flow = flow;
    this.#reader = reader;
    this.#engine = engine;
    this.#clientConnected = clientConnectedCb ?? undefined;
    this.#onClientError = options?.onClientError;
  }

  /** Sets the reader's transport. On a server, calls the callback synchronously. */
  connectionMade(transport: Transport): void {
    this.#flow.transport = transport;
    this.#reader?.setTransport(transport);
    const reader = this.#reader as StreamReader | null;
    if (debugMode !== null && reader !== null) this.#reader = weakReader(reader);
    if (this.#clientConnected !== undefined) this.#callClientConnected(this.#clientConnected, transport, reader);
  }

  #callClientConnected(clientConnected: ClientConnectedCallback, transport: Transport, reader: StreamReader | null): void {
    debugMode?.note(this, { code: clientConnected.name === "" ? "the client callback" : `${clientConnected.name}()` });
    const writer = new StreamWriter(transport, this, reader);
    // startTls() may have replaced the transport.
    const onDone = (): void => {
      this.#callbackDone = true;
      if (this.#shutdownRequested) this.#flow.transport?.close();
    };
    const onFailure = (error: unknown): void => {
      try {
        reportClientError(this.#onClientError, error, writer);
      } finally {
        this.#flow.transport?.close();
      }
    };
    callForeign(() => clientConnected(reader as StreamReader, writer, new CallbackContext(this)), onFailure, onDone);
  }

  /** Created on first use: most callbacks never use it. */
  #shutdownSignal(): AbortSignal {
    if (this.#shutdown === null) {
      this.#shutdown = new AbortController();
      if (this.#shutdownRequested) this.#abortContext();
    }
    return this.#shutdown.signal;
  }

  /** Created on first use. */
  #endedSignal(): AbortSignal {
    if (this.#ended === null) {
      this.#ended = new AbortController();
      if (this.#end !== null) this.#abortEnded(this.#end);
    }
    return this.#ended.signal;
  }

  #noteEnd(end: "client" | "server" | Error): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#abortEnded(end);
  }

  #abortEnded(end: "client" | "server" | Error): void {
    const what = end === "client" ? "the client has ended its side of the connection" : "the server has closed the connection";
    this.#ended?.abort(typeof end === "string" ? new DOMException(what, "AbortError") : end);
  }

  #abortContext(): void {
    this.#shutdown?.abort(new DOMException("the server is shutting down", "AbortError"));
  }

  /**
   * Ends the connection at its next idle point. The callback's signal is aborted, and a read that would wait with an empty buffer gets
   * EOF instead. The connection is closed when an async callback has finished. A synchronous callback must close it itself, because the
   * protocol cannot know when its work is done.
   */
  shutdownRequested(): void {
    if (this.#shutdownRequested) return;
    this.#shutdownRequested = true;
    this.#abortContext();
    this.#engine?.endWhenIdle();
    if (this.#callbackDone) this.#flow.transport?.close();
  }

  /** Feeds the data to the reader. */
  dataReceived(data: Buffer): void {
    this.#flow.turned();
    this.#engine?.turned();
    if (this.#flow.lost || this.#reader === null) return;
    if (this.#reader.feedData === StreamReader.prototype.feedData) this.#engine?.feed(data, false);
    else this.#reader.feedData(data);
  }

  /**
   * Returns the memory that the transport should read into next.
   *
   * @internal
   */
  "asyncio-streams:nextMemory"(): NonSharedBuffer | null {
    const reader = this.#reader;
    // An overriding method must not see this memory: the transport still reads into it until the message is complete.
    const isOurs =
      this.dataReceived === StreamReaderProtocol.prototype.dataReceived && reader?.feedData === StreamReader.prototype.feedData;
    return isOurs ? (this.#engine?.nextMemory() ?? null) : null;
  }

  /** Feeds EOF to the reader. Keeps the writing side open, except over TLS, which has no half-close. */
  eofReceived(): boolean {
    if (!this.#flow.lost) this.#reader?.feedEof();
    this.#noteEnd("client");
    return (this.#flow.transport?.getExtraInfo("sslcontext") ?? null) === null;
  }

  /** Ends the reader and every wait of the writer. */
  override connectionLost(error: Error | null): void {
    if (this.#flow.lost) return;
    if (error === null) this.#reader?.feedEof();
    else this.#engine?.failAfterData(error);
    super.connectionLost(error);
    this.#noteEnd(error ?? "server"); // without EOF and without an error, only a `close()` or `abort()` of this side ends a connection
  }
}

class CallbackContext implements ClientContext {
  readonly #protocol: StreamReaderProtocol;

  constructor(protocol: StreamReaderProtocol) {
    this.#protocol = protocol;
  }

  get signal(): AbortSignal {
    return shutdownSignalOf(this.#protocol);
  }

  get ended(): AbortSignal {
    return endedSignalOf(this.#protocol);
  }
}
