/**
 * `Clients`: the clients of a server, from accept to disconnect.
 *
 * Theory of operation
 *
 * A client is waiting, in its handshake, or being served. The handshake is the header of the PROXY protocol, then that of TLS, if the
 * server uses them. An accepted client gets a transport and a protocol at once, or after its handshake. Above `maxConnections` it first
 * waits in a queue, and nothing is read from it. A client can be aborted in each of the three states, and counts as connected in all of
 * them.
 *
 * Waiting. Because nothing is read, a disconnect is not noticed. `wire.isPeerGone()` checks for it when the client's turn comes, and
 * before a new client is refused because the queue is full.
 *
 * Authorization. A client that `authorize` refuses at once takes no place and does not wait. While a decision is pending, the client waits
 * for its turn, or takes a place as in a handshake.
 *
 * Context. The callbacks of all clients run in the `AsyncLocalStorage` context in which the server was started, as 'connection'
 * listeners of `node:net` do. A waiting client is started from the context of another client's end; so every start is explicitly run in
 * the server's context.
 */
import { AsyncResource } from "node:async_hooks";
import { asError, callForeign } from "../base/errors.js";
import { setImmediate } from "../base/scheduling.js";
import { type AbortSource, Canceller } from "../base/waiting.js";
import type { ByteCounts, ProtocolFactory, Transport, TransportOwner } from "../contracts/connection.js";
import { now, publishError } from "../transports/diagnostics.js";
import { ConnectedSocket, type UnixNames } from "../transports/socket-info.js";
import type { Wire } from "../transports/wire.js";
import { type Authorization, UnauthorizedError } from "./authorization.js";
import type { ConnectionContext, ConnectionKind } from "./connection-context.js";
import type { AcceptHandler } from "./listener.js";
import type { ServerTls } from "./options.js";
import type { ProxyPolicy } from "./proxy-protocol/proxy-option.js";
import { untilAborted } from "./resolve.js";
import { hasContext } from "./server-context.js";
import { acceptSecured, startTransport } from "./start-transport.js";
import type { MakeWire } from "./wire-factory.js";

/** The maximum number of waiting clients to check for disconnects to make room for a new one. Each check costs a system call. */
const MAX_PROBES = 128;

/** The server's rules for its clients. */
export interface ClientsPolicy {
  readonly protocolFactory: ProtocolFactory;
  readonly maxConnections: number;
  /** The maximum number of accepted clients that wait. */
  readonly maxWaiting: number;
  readonly onError: (error: unknown) => void;
  /** TLS for every client at the start; `null` for none. */
  readonly tls: ServerTls | null;
  /** Who may connect; `null` for every client that the system lets in. */
  readonly authorization: Authorization | null;
  /** The PROXY protocol in front of every client; `null` for none. */
  readonly proxy: ProxyPolicy | null;
  /** Makes connections of another kind; `undefined` for the usual kind. */
  readonly kind?: ConnectionKind | undefined;
}

/** The current state and the totals of a server. */
export interface ServerStats extends ByteCounts {
  /** Clients being served. */
  readonly active: number;
  /** Accepted clients that wait for their turn because `maxConnections` are being served. */
  readonly waiting: number;
  /** Clients in their TLS handshake, or whose PROXY header is not complete. */
  readonly handshakes: number;
  /** Clients accepted so far. */
  readonly accepted: number;
  /** Accepted clients that were closed at once because too many were waiting. */
  readonly refused: number;
  /** Accepted clients that `authorize` has refused. */
  readonly unauthorized: number;
  /** Errors so far before a client had a protocol: mostly failed TLS handshakes, and failures to accept. */
  readonly failed: number;
}

/** An accepted client. */
interface Accepted {
  readonly wire: Wire;
  readonly info: ConnectedSocket;
  readonly begunAt: number;
  /** The pending decision of `authorize`, which rejects if the client is refused; `null` if it is made. */
  verdict: Promise<void> | null;
}

export class Clients {
  readonly #policy: ClientsPolicy;
  readonly #onGone: () => void;
  #tls: ServerTls | null;
  readonly #served: Set<Transport & ByteCounts> = new Set();
  /** Clients that wait for their PROXY header or are in their TLS handshake: they have no protocol yet. Aborting one ends it. */
  readonly #handshakes: Set<Canceller> = new Set();
  readonly #waiting: Accepted[] = [];
  /** The index of the waiting client to check next. */
  #nextProbe = 0;
  /** The context in which the server was started; before the start, the one in which it was created. */
  #context = new AsyncResource("asyncio-streams.Server");
  /** Whether either of the two has a context. */
  #hasContext: boolean = hasContext(this.#context);
  readonly #owner: TransportOwner = { attach: (transport) => this.#attach(transport), detach: (transport) => this.#detach(transport) };
  #accepted = 0;
  #refused = 0;
  #unauthorized = 0;
  #failed = 0;
  /** Byte counts of disconnected clients. */
  #bytesRead = 0;
  #bytesWritten = 0;
  #shuttingDown = false;

  /** @param onGone called when clients have disconnected */
  constructor(policy: ClientsPolicy, onGone: () => void) {
    this.#policy = policy;
    this.#tls = policy.tls;
    this.#onGone = onGone;
  }

  /** The TLS of clients whose handshake has not begun. */
  get tls(): ServerTls | null {
    return this.#tls;
  }

  set tls(tls: ServerTls | null) {
    this.#tls = tls;
  }

  /** Makes later callbacks run in the current `AsyncLocalStorage` context. */
  captureContext(): void {
    this.#context = new AsyncResource("asyncio-streams.Server");
    this.#hasContext ||= hasContext(this.#context);
  }

  /** Accepts a new client. */
  readonly accept: AcceptHandler = (makeWire, unixNames) => {
    if (this.#hasContext) this.#context.runInAsyncScope(() => this.#accept(makeWire, unixNames));
    else this.#accept(makeWire, unixNames);
  };

  #accept(makeWire: MakeWire, unixNames: UnixNames | null): void {
    this.#accepted += 1;
    const wire = this.#makeWire(makeWire);
    if (wire === null) return;
    const client = { wire, info: new ConnectedSocket(wire, unixNames), begunAt: now(), verdict: null };
    if (!this.#admit(client)) return;
    if (this.#taken < this.#policy.maxConnections) {
      this.#serve(client);
      return;
    }
    if (this.#waiting.length >= this.#policy.maxWaiting) this.dropGone(MAX_PROBES);
    if (this.#waiting.length < this.#policy.maxWaiting) {
      wire.pause();
      this.#waiting.push(client);
    } else {
      this.#refused += 1;
      wire.destroy();
    }
  }

  /** Makes the wire of a client at once, before a runtime reads from it; returns `null` if it fails. */
  #makeWire(makeWire: MakeWire): Wire | null {
    const wire = makeWire(this.#hasContext);
    const { kind } = this.#policy;
    if (kind === undefined) return wire;
    try {
      return kind.convert(wire);
    } catch (error) {
      wire.destroy();
      this.#fail(error);
      return null;
    }
  }

  /** Refuses a client that may not connect, before it takes a place; returns whether it may. */
  #admit(client: Accepted): boolean {
    const { proxy, authorization } = this.#policy;
    try {
      proxy?.checkSender(client.info);
      client.verdict = authorization?.check(client.info) ?? null;
    } catch (error) {
      client.wire.destroy();
      this.#reportRefusal(error);
      return false;
    }
    if (client.verdict !== null) void this.#settle(client, client.verdict);
    return true;
  }

  /** Notes the decision about a client. */
  async #settle(client: Accepted, verdict: Promise<void>): Promise<void> {
    try {
      await verdict;
      client.verdict = null;
    } catch (error) {
      this.#dropRefused(client, error);
    }
  }

  /** Drops a client that is refused while it waits for its turn. During its handshake, the handshake does. */
  #dropRefused(client: Accepted, error: unknown): void {
    const index = this.#waiting.indexOf(client);
    if (index === -1) return;
    this.#waiting.splice(index, 1);
    client.wire.destroy();
    this.#context.runInAsyncScope(() => this.#reportRefusal(error));
    this.#onGone();
  }

  #reportRefusal(error: unknown): void {
    if (!(error instanceof UnauthorizedError)) {
      this.#fail(error);
      return;
    }
    this.#unauthorized += 1;
    this.#report(error);
  }

  /** Reports an error that happened before a client had a protocol. */
  readonly fail = (error: unknown): void => this.#context.runInAsyncScope(() => this.#fail(error));

  #fail(error: unknown): void {
    this.#failed += 1;
    this.#report(error);
  }

  #report(error: unknown): void {
    publishError(null, error, "accept");
    this.#policy.onError(error);
  }

  /** The number of clients being served or in their handshake. */
  get #taken(): number {
    return this.#served.size + this.#handshakes.size;
  }

  /** The number of all clients, including waiting ones. */
  get connected(): number {
    return this.#taken + this.#waiting.length;
  }

  #serve({ wire, info, begunAt, verdict }: Accepted): void {
    const { proxy } = this.#policy;
    const tls = this.#tls;
    const facts = { info, begunAt, owner: this.#owner };
    if (tls !== null || proxy !== null || verdict !== null) {
      void this.#serveAfterHandshake(wire, facts, verdict);
      return;
    }
    try {
      this.#start(wire, facts);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Serves a client after the decision of `authorize`, behind its PROXY header, and after its TLS handshake, if there are such. */
  async #serveAfterHandshake(wire: Wire, facts: ConnectionContext, verdict: Promise<void> | null): Promise<void> {
    const { protocolFactory, proxy } = this.#policy;
    const handshake = new Canceller();
    this.#handshakes.add(handshake);
    try {
      if (verdict !== null) await this.#untilAuthorized(wire, verdict, handshake);
      const known = proxy === null ? facts : { ...facts, proxyInfo: await proxy.receive(wire, facts.info, handshake) };
      const tls = this.#tls; // read as late as possible: it may have been renewed during the header
      if (tls !== null) await acceptSecured(wire.release(), protocolFactory, known, tls, handshake);
      else this.#start(wire, known);
    } catch (error) {
      if (!handshake.aborted) this.#context.runInAsyncScope(() => this.#reportRefusal(error));
    } finally {
      this.#handshakes.delete(handshake);
      this.#serveWaiting();
      this.#onGone();
    }
  }

  #start(wire: Wire, facts: ConnectionContext): void {
    const { kind, protocolFactory } = this.#policy;
    if (kind === undefined) startTransport(wire, protocolFactory, facts);
    else kind.start(wire, protocolFactory, facts);
  }

  /** Waits for the decision of `authorize`. Nothing is read meanwhile. If the client is not let in, the wire is closed. */
  async #untilAuthorized(wire: Wire, verdict: Promise<void>, signal: AbortSource): Promise<void> {
    wire.pause();
    try {
      await untilAborted(verdict, signal);
    } catch (error) {
      wire.destroy();
      throw error;
    }
  }

  #attach(transport: Transport & ByteCounts): void {
    this.#served.add(transport);
    // Started from the queue, or after its handshake, while the server shuts down. `connectionMade()` has not been called yet, and bytes
    // that were received behind the handshake are delivered first.
    if (this.#shuttingDown) setImmediate(() => this.#served.has(transport) && requestShutdown(transport));
  }

  #detach(transport: Transport & ByteCounts): void {
    this.#served.delete(transport);
    this.#bytesRead += transport.bytesRead;
    this.#bytesWritten += transport.bytesWritten;
    this.#serveWaiting();
    this.#onGone();
  }

  #serveWaiting(): void {
    if (this.#waiting.length > 0) this.#context.runInAsyncScope(() => this.#serveNext());
  }

  #serveNext(): void {
    while (this.#taken < this.#policy.maxConnections) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) return;
      if (waiting.wire.isPeerGone()) waiting.wire.destroy();
      else this.#serve(waiting);
    }
  }

  /**
   * Removes disconnected clients from the queue.
   *
   * @param most how many clients to check; the next call continues after them
   */
  dropGone(most: number = this.#waiting.length): void {
    for (let probes = Math.min(most, this.#waiting.length); probes > 0; probes -= 1) {
      if (this.#nextProbe >= this.#waiting.length) this.#nextProbe = 0;
      const { wire } = this.#waiting[this.#nextProbe] as Accepted;
      if (wire.isPeerGone()) {
        this.#waiting.splice(this.#nextProbe, 1);
        wire.destroy();
      } else this.#nextProbe += 1;
    }
  }

  /** The number of clients that were served or waiting and have disconnected. */
  get gone(): number {
    return this.#accepted - this.#refused - this.#unauthorized - this.connected;
  }

  stats(): ServerStats {
    let bytesRead = this.#bytesRead;
    let bytesWritten = this.#bytesWritten;
    for (const client of this.#served) {
      bytesRead += client.bytesRead;
      bytesWritten += client.bytesWritten;
    }
    return {
      active: this.#served.size,
      waiting: this.#waiting.length,
      handshakes: this.#handshakes.size,
      accepted: this.#accepted,
      refused: this.#refused,
      unauthorized: this.#unauthorized,
      failed: this.#failed,
      bytesRead,
      bytesWritten,
    };
  }

  /** Asks all clients to finish, including those that are started later. */
  requestShutdown(): void {
    this.#shuttingDown = true;
    this.#context.runInAsyncScope(() => {
      for (const transport of [...this.#served]) requestShutdown(transport);
    });
  }

  /** Closes every connection after sending its buffered data. */
  close(): void {
    this.#dropUnserved();
    for (const transport of [...this.#served]) transport.close();
  }

  /** Aborts every connection. */
  abort(): void {
    this.#dropUnserved();
    for (const transport of [...this.#served]) transport.abort();
  }

  /** Aborts clients that have no transport yet. */
  #dropUnserved(): void {
    for (const { wire } of this.#waiting.splice(0)) wire.destroy();
    for (const handshake of [...this.#handshakes]) handshake.abort();
    this.#onGone();
  }
}

/** Calls a protocol's `shutdownRequested()`. If it throws, only its own connection ends, and the other clients are still asked. */
function requestShutdown(transport: Transport): void {
  callForeign(
    () => transport.getProtocol().shutdownRequested?.(),
    (error) => transport.abort(asError(error, "a protocol threw")),
  );
}
