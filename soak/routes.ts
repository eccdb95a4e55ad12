/** The routes under soak: every way to be connected, so that every wire is met. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Random } from "../test/support/random.js";
import { BarePeers } from "./bare-peers.js";
import { canPassDescriptors } from "./descriptors.js";
import type { Keepers } from "./end.js";
import { MemoryRoute } from "./memory-route.js";
import type { Route } from "./route.js";
import { type Parts, SocketRoute } from "./socket-route.js";

/**
 * By `sock`, a connection has the wire of a socket of Node's: the others get it only with `ASYNCIO_STREAMS_PLAIN_SOCKETS`
 * (second-run.ts).
 */
const OVER_SOCKETS: readonly Parts[] = [
  ["Unix", "plain", "open"],
  ["Unix", "TLS", "open"],
  ["Unix", "STARTTLS", "open"],
  ["TCP", "plain", "open"],
  ["TCP", "TLS", "open"],
  ["TCP", "STARTTLS", "open"],
  ["Unix", "plain", "sock"],
  ["Unix", "STARTTLS", "sock"],
  ["TCP", "plain", "sock"],
  ["TCP", "TLS", "sock"],
  ["Unix", "plain", "duplex"],
  ["TCP", "plain", "duplex"],
  ...(canPassDescriptors ? [["Unix", "plain", "descriptors"] as const] : []),
];

/** All routes, with their servers running, and the peers that are none of ours; `close()` ends them. */
export class Routes {
  readonly #directory: string = mkdtempSync(join(tmpdir(), "soak-"));
  readonly all: readonly Route[];
  readonly barePeers: BarePeers;

  constructor(keepers: Keepers) {
    this.all = [...OVER_SOCKETS.map((parts) => new SocketRoute(parts, this.#directory, keepers)), new MemoryRoute(keepers)];
    this.barePeers = new BarePeers(this.#directory, keepers.ledger);
  }

  async start(random: Random): Promise<void> {
    await Promise.all([...this.all.map((route) => route.restart(random.fork())), this.barePeers.start(random.fork())]);
  }

  async close(): Promise<void> {
    await Promise.all([...this.all, this.barePeers].map((part) => part.close()));
    rmSync(this.#directory, { recursive: true });
  }
}
