/** A route without a system: the two ends of a connection in memory. */
import type { StreamWriter } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import type { Random } from "../test/support/random.js";
import type { Pair } from "./client-wires.js";
import type { Keepers } from "./end.js";
import type { Route } from "./route.js";
import { serve } from "./serve.js";

export class MemoryRoute implements Route {
  readonly name = "memory";
  readonly secured = false;
  readonly inMemory = true;
  readonly feedsReader = true;
  readonly address = null;
  readonly restarts = 0;
  readonly #keepers: Keepers;

  constructor(keepers: Keepers) {
    this.#keepers = keepers;
  }

  async connect(limit: number, _signal: AbortSignal | undefined, onConnected: (writer: StreamWriter) => void): Promise<Pair> {
    const [{ reader, writer }] = memoryPair({
      limit,
      clientConnectedCb: (served, answer) => serve(this.#keepers, served, answer),
      onClientError: (error) => this.#keepers.ledger.report(`memory: ${error instanceof Error ? error.stack : String(error)}`),
    });
    onConnected(writer); // who fails aborts it
    return [reader, writer];
  }

  /** There is no server to be replaced. */
  async restart(_random: Random): Promise<void> {}

  async close(): Promise<void> {}
}
