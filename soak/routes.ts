/** The servers under soak, one for each way to be connected, and how to get there. Each is replaced by a new one now and then. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type OpenConnectionOptions,
  type Server,
  type ShutdownResult,
  type SocketAddress,
  type StartServerOptions,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { addressOf, openTo } from "../test/support/addresses.js";
import { identity, trust } from "../test/support/certificates.js";
import type { Random } from "../test/support/random.js";
import type { Ledger } from "./ledger.js";
import { serve } from "./serve.js";

type Pair = [StreamReader, StreamWriter];

const SOCKETS = ["Unix", "TCP"] as const;
const SECURITIES = ["plain", "TLS", "STARTTLS"] as const;

/** Clients that a server with a maximum serves at once; the others wait. */
const MAX_CONNECTIONS = 10;

/** Longer than most conversations, and shorter than some. */
const MOST_GRACE_MS = 300;

export class Route {
  readonly #socket: (typeof SOCKETS)[number];
  readonly #security: (typeof SECURITIES)[number];
  readonly #ledger: Ledger;
  readonly #path: string;
  #server: Server | null = null;
  /** How often the server has been replaced. Conversations that are under way at that time may be cut off. */
  restarts = 0;

  constructor(socket: (typeof SOCKETS)[number], security: (typeof SECURITIES)[number], directory: string, ledger: Ledger) {
    this.#socket = socket;
    this.#security = security;
    this.#ledger = ledger;
    this.#path = join(directory, `${security}.sock`);
  }

  get name(): string {
    return `${this.#socket} ${this.#security}`;
  }

  /** Whether conversations are secured in the end. */
  get secured(): boolean {
    return this.#security !== "plain";
  }

  /** Where the server listens. */
  get address(): SocketAddress {
    return addressOf(this.#server as Server);
  }

  /** Connects, and secures the connection. `onConnected` is told of it before it is secured. */
  async connect(limit: number, signal: AbortSignal | undefined, onConnected: (writer: StreamWriter) => void): Promise<Pair> {
    const tls = this.#security === "TLS" ? { ssl: trust, serverHostname: "localhost" } : {};
    const options: OpenConnectionOptions = { limit, signal, ...tls };
    const [reader, writer] = await openTo(this.address, options);
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
      this.#socket === "Unix"
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
    this.#ledger.count("shutdown: finished", finished);
    this.#ledger.count("shutdown: cut off", aborted);
    const { active, waiting, handshakes, refused } = server.getStats();
    if (active + waiting + handshakes + refused > 0) {
      this.#ledger.report(`${this.name}: a server that was shut down has ${JSON.stringify({ active, waiting, handshakes, refused })}`);
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
        if (codeOf(error) === "ERR_INVALID_STATE" && reader.atEof()) this.#ledger.count("handshakes that failed");
        else this.#ledger.judge(error, undefined, "server");
        return writer.abort();
      }
    }
    await serve(this.#ledger, reader, writer);
  }

  #onClientError(error: unknown, writer: StreamWriter | null): void {
    // The callback never throws, so this is a client that talked nonsense to TLS, or went away during the handshake.
    if (writer === null && codeOf(error) !== undefined) this.#ledger.count("handshakes that failed");
    else this.#ledger.report(`${this.name}: ${error instanceof Error ? error.stack : String(error)}`);
  }
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : undefined;
}

/** All routes, with their servers running; `close()` ends them. */
export class Routes {
  readonly #directory: string = mkdtempSync(join(tmpdir(), "soak-"));
  readonly all: readonly Route[];

  constructor(ledger: Ledger) {
    this.all = SOCKETS.flatMap((socket) => SECURITIES.map((security) => new Route(socket, security, this.#directory, ledger)));
  }

  async start(random: Random): Promise<void> {
    await Promise.all(this.all.map((route) => route.restart(random.fork())));
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((route) => route.close()));
    rmSync(this.#directory, { recursive: true });
  }
}
