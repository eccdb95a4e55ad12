/** A way to be connected to a server under soak. */
import type { SocketAddress, StreamWriter } from "asyncio-streams";
import type { Random } from "../test/support/random.js";
import type { Pair } from "./client-wires.js";

/** The facts about a route that a plan depends on. */
export interface RouteTraits {
  /** Whether it is secured in the end. */
  readonly secured: boolean;
  /** Whether its server has an address. */
  readonly inMemory: boolean;
  /** Whether its transport feeds the reader: not so with `StreamReader.from()`, which pulls. */
  readonly feedsReader: boolean;
}

/** A way to be connected. */
export interface Route extends RouteTraits {
  readonly name: string;
  /** Where the server listens; `null` in memory. */
  readonly address: SocketAddress | null;
  /** How often the server has been replaced. Conversations that are under way at that time may be cut off. */
  readonly restarts: number;
  /** Connects, and secures the connection. `onConnected` is told of it before it is secured. */
  connect(limit: number, signal: AbortSignal | undefined, onConnected: (writer: StreamWriter) => void): Promise<Pair>;
  /** Starts a server; a running one is replaced without a gap, and shut down. */
  restart(random: Random): Promise<void>;
  close(): Promise<void>;
}
