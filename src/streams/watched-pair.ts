/**
 * `watchPair()`: lets the debug mode find a connection whose reader and writer the program has dropped. See `base/debug-mode.ts`.
 *
 * The event loop holds the transport, its protocol and the read engine. The protocol holds the reader only until the connection is made,
 * as in CPython, and from then on by `weakReader()`.
 *
 * CPython: `StreamWriter.__del__()` closes the connection although the reader may be in use.
 */

import { showAddress } from "../base/arguments.js";
import type { debugMode, Resource } from "../base/debug-mode.js";
import type { Transport } from "../contracts/connection.js";
import type { SocketAddress } from "../contracts/extra-info.js";
import { engineOf } from "./base-reader.js";
import { type FlowControl, flowOf } from "./flow-control.js";
import type { ReadEngine } from "./read-engine.js";
import type { StreamReader } from "./reader.js";
import type { WriterFlow } from "./writer-flow.js";

/** The connection of a stream pair. */
class PairResource implements Resource {
  readonly #flow: WeakRef<WriterFlow>;
  readonly #protocol: WeakRef<FlowControl>;
  readonly #engine: WeakRef<ReadEngine> | null;
  #transport: WeakRef<Transport>;

  constructor(transport: Transport, protocol: FlowControl, engine: ReadEngine | null) {
    this.#flow = new WeakRef(flowOf(protocol));
    this.#protocol = new WeakRef(protocol);
    this.#engine = engine === null ? null : new WeakRef(engine);
    this.#transport = new WeakRef(transport);
  }

  describe(): string {
    const transport = this.#transport.deref();
    if (this.#flow.deref()?.tlsRole === "server") return `a client's connection to ${addressOf(transport?.getExtraInfo("sockname"))}`;
    return `the connection to ${addressOf(transport?.getExtraInfo("peername"))}`;
  }

  /** True also if another protocol has the connection, or nothing holds it any more. */
  isClosed(): boolean {
    const transport = this.#transport.deref();
    const protocol: unknown = this.#protocol.deref();
    return transport === undefined || transport.isClosing() || transport.getProtocol() !== protocol;
  }

  isInUse(): boolean {
    return this.#engine?.deref()?.isInUse === true || this.#flow.deref()?.isInUse === true;
  }

  close(): void {
    this.#transport.deref()?.close();
  }

  /** `startTls()` has replaced the transport. */
  moveTo(transport: Transport): void {
    this.#transport = new WeakRef(transport);
  }
}

const resources = new WeakMap<WriterFlow, PairResource>();

/** Watches a new pair, in debug mode. */
export function watchPair(
  debug: NonNullable<typeof debugMode>,
  writer: object,
  transport: Transport,
  protocol: FlowControl,
  reader: StreamReader | null,
): void {
  const engine = reader === null ? null : engineOf(reader);
  const resource = new PairResource(transport, protocol, engine);
  resources.set(flowOf(protocol), resource);
  const origin = debug.originOf(protocol) ?? debug.origin("It was opened here");
  debug.note(protocol, { origin, code: () => `code that uses ${resource.describe()}` }); // captures no holder
  debug.watch(resource, origin, [writer, reader], [engine]);
}

/** `startTls()` has replaced the transport of a pair. */
export function moveWatch(flow: WriterFlow, transport: Transport): void {
  resources.get(flow)?.moveTo(transport);
}

/** What a protocol calls on its reader. */
export type FedReader = Pick<StreamReader, "feedData" | "feedEof" | "setTransport">;

/** Stands for a reader without keeping it alive. What arrives for a reader that the program has dropped goes to its engine. */
export function weakReader(reader: StreamReader): FedReader {
  const weak = new WeakRef(reader);
  const engine = engineOf(reader);
  return {
    feedData(data) {
      const held = weak.deref();
      if (held === undefined) engine.feed(data);
      else held.feedData(data);
    },
    feedEof: () => (weak.deref() ?? engine).feedEof(),
    setTransport: (transport) => (weak.deref() ?? engine).setTransport(transport),
  };
}

function addressOf(address: SocketAddress | null | undefined): string {
  return address === null || address === undefined ? "an unknown address" : showAddress(address);
}
