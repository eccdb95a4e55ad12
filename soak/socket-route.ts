/** A route over sockets: a server under soak, which is replaced by a new one now and then, and how to get there. */
import { join } from "node:path";
import {
  type Server,
  type ShutdownResult,
  type SocketAddress,
  type StartServerOptions,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { startFdServer } from "asyncio-streams/unix";
import { addressOf } from "../test/support/addresses.js";
import { identity, trust } from "../test/support/certificates.js";
import type { Random } from "../test/support/random.js";
import { openVia, type Pair, type Via } from "./client-wires.js";
import type { Keepers } from "./end.js";
import type { Route } from "./route.js";
import { serve } from "./serve.js";

/** What a route is made of: the kind of socket, what is spoken on it, and how a client gets its streams. */
export type Parts = readonly [socket: "Unix" | "TCP", security: "plain" | "TLS" | "STARTTLS", via: Via];

/** Clients that a server with a maximum serves at once; the others wait. */
const MAX_CONNECTIONS = 10;

/** Longer than most conversations, and shorter than some. */
const MOST_GRACE_MS = 300;

export class SocketRoute implements Route {
  readonly #socket: Parts[0];
  readonly #security: Parts[1];
  readonly #via: Via;
  readonly #keepers: Keepers;
  readonly #path: string;
  #server: Server | null = null;
  readonly inMemory = false;
  restarts = 0;

  constructor([socket, security, via]: Parts, directory: string, keepers: Keepers) {
    this.#socket = socket;
    this.#security = security;
    this.#via = via;
    this.#keepers = keepers;
    this.#path = join(directory, `${security}-${via}`);
  }

  get name(): string {
    return [this.#socket, this.#security, ...(this.#via === "open" ? [] : [`by ${this.#via}`])].join(" ");
  }

  get secured(): boolean {
    return this.#security !== "plain";
  }

  get feedsReader(): boolean {
    return this.#via !== "duplex";
  }

  get address(): SocketAddress {
    return addressOf(this.#server as Server);
  }

  async connect(limit: number, signal: AbortSignal | undefined, onConnected: (writer: StreamWriter) => void): Promise<Pair> {
    const tls = this.#security === "TLS" ? { ssl: trust, serverHostname: "localhost" } : {};
    const [reader, writer] = await openVia(this.#via, this.address, { limit, signal, ...tls });
    onConnected(writer);
    if (this.#security === "STARTTLS") {
      writer.write("STARTTLS\n");
      await reader.readexactly(3);
      await writer.startTls(trust, { serverHostname: "localhost" });
    }
    return [reader, writer];
  }

  /** Starts a server; a running one is replaced without a gap, and shut down. */
  async restart(random: Random): Promise<void> {
    const old = this.#server;
    const options: StartServerOptions = {
      limit: random.pick([256, 4_096, 65_536]),
      backlog: 1_000,
      onClientError: (error, writer) => this.#onClientError(error, writer),
      ...(this.#security === "TLS" ? { ssl: identity("server") } : {}),
      ...(random.chance(0.3) ? { maxConnections: MAX_CONNECTIONS } : {}),
    };
    const callback = (reader: StreamReader, writer: StreamWriter): Promise<void> => this.#serve(reader, writer);
    this.#server =
      this.#via === "descriptors"
        ? await startFdServer(callback, this.#path, {
            ...options,
            takeover: old !== null,
            authorize: ({ pid }) => random.chance(0.5) || Promise.resolve(pid === process.pid),
          })
        : this.#socket === "Unix"
          ? await startUnixServer(callback, this.#path, { ...options, takeover: old !== null })
          : await startServer(callback, "127.0.0.1", 0, options);
    if (old === null) return;
    this.restarts += 1;
    await this.#shutDown(old, random.int(0, MOST_GRACE_MS));
  }

  async close(): Promise<void> {
    if (this.#server !== null) await this.#shutDown(this.#server, 1_000);
    this.#server = null;
  }

  async #shutDown(server: Server, graceMs: number): Promise<void> {
    const { finished, aborted }: ShutdownResult = await server.shutdown({ graceMs });
    this.#keepers.ledger.count("shutdown: finished", finished);
    this.#keepers.ledger.count("shutdown: cut off", aborted);
    const { active, waiting, handshakes, refused } = server.getStats();
    if (active + waiting + handshakes + refused > 0) {
      this.#keepers.ledger.report(
        `${this.name}: a server that was shut down has ${JSON.stringify({ active, waiting, handshakes, refused })}`,
      );
    }
  }

  async #serve(reader: StreamReader, writer: StreamWriter): Promise<void> {
    if (this.#security === "STARTTLS") {
      try {
        if ((await reader.readline()).toString() !== "STARTTLS\n") return writer.abort();
        writer.write("go\n");
        await writer.startTls(identity("server"));
      } catch (error) {
        // A client may have left behind its command: then there is nobody to make a handshake with.
        if (codeOf(error) === "ERR_INVALID_STATE" && reader.atEof()) this.#keepers.ledger.count("handshakes that failed");
        else this.#keepers.ledger.judge(error, undefined, "server");
        return writer.abort();
      }
    }
    await serve(this.#keepers, reader, writer);
  }

  #onClientError(error: unknown, writer: StreamWriter | null): void {
    // The callback never throws, so this is a client that talked nonsense to TLS, or went away during the handshake.
    if (writer === null && codeOf(error) !== undefined) this.#keepers.ledger.count("handshakes that failed");
    else this.#keepers.ledger.report(`${this.name}: ${error instanceof Error ? error.stack : String(error)}`);
  }
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : undefined;
}
