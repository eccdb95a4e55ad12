/**
 * `Clients`: those of a server, from being accepted to their end.
 *
 * Theory of operation
 *
 * A client gets a transport and a protocol at once, after its TLS handshake if there is one, or when its turn comes: above `maxConnections` it has been accepted, but nothing is
 * read from it. So it waits, is in its handshake, or is served; each of the three can be cut off, and all of them count as connected.
 *
 * Waiting. Since nothing is read, a client that leaves is not noticed. `wire.isPeerGone()` tells, and is asked when its turn comes, and before a new client is refused because the queue is full.
 *
 * Context. The callbacks for every client run in the `AsyncLocalStorage` context of the program that started the server, as 'connection' listeners of `node:net` do. A client's turn comes when
 * another one ends, in the context of that one; so each start of a client is run in the server's context explicitly.
 */
import { AsyncResource } from "node:async_hooks";
import type net from "node:net";
import { queueMicrotask } from "../base/scheduling.js";
import { asError, callForeign } from "../base/thrown.js";
import type { ProtocolFactory, Transport } from "../contracts/connection.js";
import type { ByteCounts, TransportOwner } from "../contracts/transport-owner.js";
import { now, tellError } from "../transports/diagnostics.js";
import type { UnixNames } from "../transports/socket-info.js";
import type { Wire } from "../transports/wire.js";
import { hasContext } from "./async-context.js";
import type { AcceptHandler } from "./listener.js";
import type { MakeWire } from "./make-socket.js";
import type { ServerTls } from "./options.js";
import { acceptSecured, type ConnectionFacts, startTransport } from "./start-transport.js";

/** The most waiting clients that are looked at to find room for a new one: each costs a call to the system. */
const MAX_PROBES = 128;

/** What the server does with its clients. */
export interface ClientsPolicy {
  readonly protocolFactory: ProtocolFactory;
  readonly maxConnections: number;
  /** Accepted clients above the maximum that may wait. */
  readonly maxWaiting: number;
  readonly onError: (error: unknown) => void;
  /** TLS for every client; `null`: none. */
  readonly tls: ServerTls | null;
}

/** What a server has done so far, and what it is doing. */
export interface ServerStats extends ByteCounts {
  /** Clients being served. */
  readonly active: number;
  /** Accepted clients that wait for their turn: `maxConnections` are being served. */
  readonly waiting: number;
  /** Clients whose TLS handshake is under way. */
  readonly handshakes: number;
  /** Clients accepted so far. */
  readonly accepted: number;
  /** Of these, clients closed at once, since too many were waiting. */
  readonly refused: number;
  /** What went wrong so far before a client had a protocol: TLS handshakes, mostly, and failures to accept. */
  readonly failed: number;
}

/** A client that was accepted. */
interface Accepted {
  readonly wire: Wire;
  readonly unixNames: UnixNames | null;
  readonly begunAt: number;
}

export class Clients {
  readonly #policy: ClientsPolicy;
  readonly #onGone: () => void;
  readonly #served: Set<Transport & ByteCounts> = new Set();
  /** Clients that have no protocol yet: their TLS handshake is under way. Aborting one ends it. */
  readonly #handshakes: Set<AbortController> = new Set();
  readonly #waiting: Accepted[] = [];
  /** The waiting client that is looked at next. */
  #nextProbe = 0;
  /** The context of the program that started the server; before that, of the one that made it. */
  #context = new AsyncResource("asyncio-streams.Server");
  /** Whether one of the two has a context at all. */
  #hasContext: boolean = hasContext(this.#context);
  readonly #owner: TransportOwner = { attach: (transport) => this.#attach(transport), detach: (transport) => this.#detach(transport) };
  #accepted = 0;
  #refused = 0;
  #failed = 0;
  /** What clients that are gone have carried. */
  #bytesRead = 0;
  #bytesWritten = 0;
  #shuttingDown = false;

  /** @param onGone called when clients have gone */
  constructor(policy: ClientsPolicy, onGone: () => void) {
    this.#policy = policy;
    this.#onGone = onGone;
  }

  /** From now on callbacks run in the current `AsyncLocalStorage` context. */
  captureContext(): void {
    this.#context = new AsyncResource("asyncio-streams.Server");
    this.#hasContext ||= hasContext(this.#context);
  }

  /** Takes a new client. */
  readonly accept: AcceptHandler = (makeWire, unixNames) => {
    if (this.#hasContext) this.#context.runInAsyncScope(() => this.#accept(makeWire, unixNames));
    else this.#accept(makeWire, unixNames);
  };

  #accept(makeWire: MakeWire, unixNames: UnixNames | null): void {
    this.#accepted += 1;
    const wire = makeWire(this.#hasContext);
    const client = { wire, unixNames, begunAt: now() };
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

  /** Something went wrong before a client had a protocol. */
  readonly fail = (error: unknown): void => this.#context.runInAsyncScope(() => this.#fail(error));

  #fail(error: unknown): void {
    this.#failed += 1;
    tellError(null, error, "accept");
    this.#policy.onError(error);
  }

  /** Clients being served, and those on their way through the handshake. */
  get #taken(): number {
    return this.#served.size + this.#handshakes.size;
  }

  /** All clients, with those who wait for their turn. */
  get connected(): number {
    return this.#taken + this.#waiting.length;
  }

  #serve({ wire, unixNames, begunAt }: Accepted): void {
    const { protocolFactory, tls } = this.#policy;
    const facts = { unixNames, begunAt, owner: this.#owner };
    if (tls !== null) {
      void this.#serveSecured(wire.release(), { ...facts, tls });
      return;
    }
    try {
      startTransport(wire, protocolFactory, facts);
    } catch (error) {
      this.fail(error);
    }
  }

  async #serveSecured(socket: net.Socket, facts: ConnectionFacts & { readonly tls: ServerTls }): Promise<void> {
    const handshake = new AbortController();
    this.#handshakes.add(handshake);
    try {
      await acceptSecured(socket, this.#policy.protocolFactory, { ...facts, signal: handshake.signal });
    } catch (error) {
      if (!handshake.signal.aborted) this.fail(error);
    } finally {
      this.#handshakes.delete(handshake);
      this.#serveWaiting();
      this.#onGone();
    }
  }

  #attach(transport: Transport & ByteCounts): void {
    this.#served.add(transport);
    // Accepted from the queue while the server shuts down; its protocol has not been told that it is connected yet.
    if (this.#shuttingDown) queueMicrotask(() => requestShutdown(transport));
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

  /** Takes clients that have left out of the queue. @param most how many to look at; the next call goes on behind them */
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

  /** Clients that were taken and are not there any more. */
  get gone(): number {
    return this.#accepted - this.#refused - this.connected;
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
      failed: this.#failed,
      bytesRead,
      bytesWritten,
    };
  }

  /** Asks every client, also those who are still to be served, to come to an end. */
  requestShutdown(): void {
    this.#shuttingDown = true;
    this.#context.runInAsyncScope(() => {
      for (const transport of [...this.#served]) requestShutdown(transport);
    });
  }

  /** Closes every connection, each after what was written to it. */
  close(): void {
    this.#dropUnserved();
    for (const transport of [...this.#served]) transport.close();
  }

  /** Closes every connection at once. */
  abort(): void {
    this.#dropUnserved();
    for (const transport of [...this.#served]) transport.abort();
  }

  /** Cuts off clients that have no transport yet. */
  #dropUnserved(): void {
    for (const { wire } of this.#waiting.splice(0)) wire.destroy();
    for (const handshake of [...this.#handshakes]) handshake.abort();
    this.#onGone();
  }
}

/** Like any method of a protocol that throws, it ends its connection: the other clients are still to be told. */
function requestShutdown(transport: Transport): void {
  callForeign(
    () => transport.getProtocol().shutdownRequested?.(),
    (error) => transport.abort(asError(error, "a protocol threw")),
  );
}
