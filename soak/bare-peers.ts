/**
 * Peers on bare `node:net` and `node:tls` that treat a client of ours badly: they reset the connection right behind their data, or say a
 * few words and leave while the client writes on. What came before is read whole, and in order; a reset is never told as an end.
 */
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import type { SocketAddress, StreamReader } from "asyncio-streams";
import { addressOf } from "../test/support/addresses.js";
import { identity, trust } from "../test/support/certificates.js";
import { Random } from "../test/support/random.js";
import { runtime } from "../test/support/runtime.js";
import { openVia, type Pair, type Via } from "./client-wires.js";
import type { Ledger } from "./ledger.js";
import { pause } from "./pauses.js";
import { bytesOf, randomPlace, type Stretch } from "./stretches.js";

/** A conversation with such a peer takes well under a second. */
const STUCK_AFTER_MS = 60_000;

/** Has arrived as a whole when the reset comes: the system's buffers hold more. */
const SMALL_BYTES = 16_384;
const LARGE_BYTES = 1_000_000;

/** What a client writes to a peer that has left. */
const WRITTEN_TOO_LATE = [[10], [1_000, 100_000], [300_000]] as const;

type Kind = "TCP" | "Unix" | "TLS";

/**
 * Not a Duplex of Node's: there Node itself tells a reset as the end (before version 26), and drops what it has received when a write
 * fails.
 */
const VIAS: readonly Via[] = ["open", "sock"];

export class BarePeers {
  readonly #directory: string;
  readonly #ledger: Ledger;
  readonly #leavers = new Map<Kind, net.Server>();
  #resetter!: net.Server;
  readonly #sockets = new Set<net.Socket>();

  constructor(directory: string, ledger: Ledger) {
    this.#directory = directory;
    this.#ledger = ledger;
  }

  async start(random: Random): Promise<void> {
    const leave = (socket: net.Socket): void => this.#leave(socket, random);
    this.#leavers.set("TCP", await listen(net.createServer({ pauseOnConnect: true }, leave)));
    this.#leavers.set("Unix", await listen(net.createServer({ pauseOnConnect: true }, leave), join(this.#directory, "leaver")));
    this.#leavers.set("TLS", await listen(tls.createServer(identity("server"), leave)));
    this.#resetter = await listen(net.createServer((socket) => this.#reset(socket)));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const servers = [...this.#leavers.values(), this.#resetter];
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {}).once("close", () => this.#sockets.delete(socket));
  }

  /** Says a few words, and is gone. */
  #leave(socket: net.Socket, random: Random): void {
    this.#keep(socket);
    socket.end(partingWords(random), () => socket.destroy());
  }

  /** Sends the stretch that it is asked for, and resets the connection (SO_LINGER 0) in the same turn. */
  #reset(socket: net.Socket): void {
    this.#keep(socket);
    socket.once("data", (line: Buffer) => {
      const [stretch] = line.toString().split("\n");
      socket.write(bytesOf(JSON.parse(stretch as string) as Stretch));
      socket.resetAndDestroy();
    });
  }

  /** Has a conversation with one of them. */
  async converse(random: Random): Promise<void> {
    const isReset = random.chance(0.5);
    const kind = isReset ? "TCP" : random.pick(["TCP", "Unix", "TLS"] as const);
    const via = random.pick(VIAS);
    const what = isReset ? "reset behind data" : "left while written to";
    const where = `${kind} by ${via}`;
    let pair: Pair | null = null;
    const watchdog = setTimeout(() => {
      this.#ledger.report(`${what}, ${where}: hangs`);
      pair?.[1].abort();
    }, STUCK_AFTER_MS);
    try {
      const server = isReset ? this.#resetter : (this.#leavers.get(kind) as net.Server);
      const options = kind === "TLS" ? { ssl: trust, serverHostname: "localhost" } : {};
      pair = await openVia(via, addressOf(server) as SocketAddress, options);
      this.#ledger.countCruelty(what, where);
      const problem = isReset ? await this.#meetReset(pair, random) : await meetLeaver(pair, random);
      if (problem !== null) this.#ledger.report(`${what}, ${where}: ${problem}`);
    } catch (error) {
      if (!isOfTheRuntime(error, kind, pair)) {
        this.#ledger.report(`${what}, ${where}: ${error instanceof Error ? error.stack : String(error)}`);
      }
    } finally {
      clearTimeout(watchdog);
      pair?.[1].abort();
      await pair?.[1].waitClosed().catch(() => {});
    }
  }

  async #meetReset([reader, writer]: Pair, random: Random): Promise<string | null> {
    const stretch = { at: randomPlace(random), length: random.size(random.chance(0.2) ? LARGE_BYTES : SMALL_BYTES) };
    writer.write(`${JSON.stringify(stretch)}\n`);
    if (random.chance(0.5)) {
      // Data and reset are both there when it looks again.
      writer.transport.pauseReading();
      await pause(random, 10);
      writer.transport.resumeReading();
    }
    if (random.chance(0.2)) writer.write("more, which comes too late");
    const expected = bytesOf(stretch);
    const { count, isRight, error } = await readToEnd(reader, expected, random);
    this.#ledger.bytesChecked += count;
    if (!isRight) {
      this.#ledger.wrongBytes += 1;
      return `wrong bytes, ${count} of ${expected.length}`;
    }
    // Bun and Deno: do not hand bytes to the system in the turn of the write, so a reset may overtake them.
    const isWhole = count === expected.length || expected.length > SMALL_BYTES || runtime !== "node";
    if (!isWhole) return `${count} of ${expected.length} bytes, then ${String(error)}`;
    if (error === null) return `told as an orderly end after ${count} of ${expected.length} bytes`;
    return hasCode(error) ? null : `an error without a code: ${String(error)}`;
  }
}

/**
 * Bun: connecting fails if the peer has accepted and closed the connection by then. Deno: TLS loses what it has received when a write fails.
 */
function isOfTheRuntime(error: unknown, kind: Kind, pair: Pair | null): boolean {
  const { code } = error as { readonly code?: unknown };
  if (runtime === "bun") return pair === null && code === "ECONNRESET";
  return runtime === "deno" && kind === "TLS" && (code === "EPIPE" || code === "ECONNRESET");
}

async function listen<S extends net.Server>(server: S, path?: string): Promise<S> {
  server.on("tlsClientError", () => {});
  server.listen(path === undefined ? { host: "127.0.0.1", port: 0 } : { path });
  await once(server, "listening");
  return server;
}

function partingWords(random: Random): string {
  return `ERR ${"busy ".repeat(random.int(1, 2_000))}\n`;
}

/** Writes to a peer that has left, or is about to: its words are read all the same. */
async function meetLeaver([reader, writer]: Pair, random: Random): Promise<string | null> {
  await pause(random, 10);
  for (const size of random.pick(WRITTEN_TOO_LATE)) writer.write(Buffer.alloc(size));
  if (random.chance(0.3)) {
    const error = await outcomeOf(writer.drain());
    if (error !== null && !hasCode(error)) return `drain(): ${String(error)}`;
  }
  if (random.chance(0.3)) await pause(random, 10);
  const line = (await reader.readline()).toString();
  if (!/^ERR (busy )+\n$/.test(line)) return `the words were ${JSON.stringify(line.slice(0, 50))}`;
  const error = await outcomeOf(reader.read());
  return error === null || hasCode(error) ? null : `after the words: ${String(error)}`;
}

/** Reads until the end or an error. */
async function readToEnd(
  reader: StreamReader,
  expected: Buffer,
  random: Random,
): Promise<{ readonly count: number; readonly isRight: boolean; readonly error: unknown }> {
  let count = 0;
  const most = random.size(expected.length) + (expected.length >> 5);
  for (;;) {
    let bytes: Buffer;
    try {
      bytes = await (count === 0 && random.chance(0.3) ? reader.readexactly(Math.min(most, expected.length)) : reader.read(most));
    } catch (error) {
      // A read of more than had come has failed: what had come is there still.
      if (reader.bufferedLength > 0) continue;
      return { count, isRight: true, error };
    }
    if (bytes.length === 0) return { count, isRight: true, error: null };
    if (!bytes.equals(expected.subarray(count, count + bytes.length))) return { count, isRight: false, error: null };
    count += bytes.length;
  }
}

async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
    return null;
  } catch (error) {
    return error;
  }
}

function hasCode(error: unknown): boolean {
  return typeof (error as { readonly code?: unknown }).code === "string";
}
