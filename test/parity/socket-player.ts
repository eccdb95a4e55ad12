/** Plays the scripts of `socket_cases.py` over our streams; the twin of `socket_record.py`. */
import {
  openConnection,
  openUnixConnection,
  type Server,
  type StartServerOptions,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import type { End } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { turns } from "../support/turns.js";
import { Started } from "./started.js";
import { type Data, type Outcome, type Step, showBytes, showError, toBytes } from "./transcript.js";

/** A recorded case. */
export interface SocketCase {
  readonly name: string;
  readonly kind: "unix" | "tcp";
  readonly steps: readonly Step[];
}

type Call = readonly [string, ...unknown[]];
type Gives = Outcome | undefined;

/** Turns of the loop after which what was started must still wait: many more than anything takes that does not wait. */
const PENDING_TURNS = 50;

/** Errors that say that the connection is gone. Which one comes depends on the moment. */
const GONE = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED"]);

/** Plays a case. */
export async function playSockets(kind: SocketCase["kind"], script: readonly Call[]): Promise<Step[]> {
  const world = new World(kind);
  try {
    const steps: Step[] = [];
    for (const call of script) {
      const gives = await world.play(call);
      steps.push(gives === undefined ? { do: call } : { do: call, gives });
    }
    return steps;
  } finally {
    await world.end();
  }
}

type ServeOptions = Pick<StartServerOptions, "startServing" | "limit">;

/** What a step of an end may need: its first argument, all of them, and the signal of what was started. */
interface Arguments<T> {
  readonly first: T;
  readonly all: readonly unknown[];
  readonly signal: AbortSignal | undefined;
}

const SERVER_STEPS: Readonly<Record<string, (server: Server, signal: AbortSignal | undefined) => unknown>> = {
  close: (server) => server.close(),
  isServing: (server) => server.isServing(),
  sockets: (server) => server.sockets.length,
  address: (server) => server.sockets[0]?.getsockname(),
  startServing: (server) => server.startServing(),
  serveForever: (server, signal) => server.serveForever({ signal }),
  waitClosed: (server, signal) => server.waitClosed({ signal }),
  closeClients: (server) => server.closeClients(),
  abortClients: (server) => server.abortClients(),
};

const END_STEPS: Readonly<Record<string, (end: End, args: Arguments<never>) => unknown>> = {
  read: ({ reader }, { first, signal }: Arguments<number>) => reader.read(first, { signal }),
  readline: ({ reader }, { signal }) => reader.readline({ signal }),
  readexactly: ({ reader }, { first, signal }: Arguments<number>) => reader.readexactly(first, { signal }),
  readuntil: ({ reader }, { first, signal }: Arguments<string>) => reader.readuntil(toBytes(first), { signal }),
  atEof: ({ reader }) => reader.atEof(),
  write: ({ writer }, { first }: Arguments<Data>) => writer.write(toBytes(first)),
  writeValue: ({ writer }, { first }) => writer.write(first),
  writelines: ({ writer }, { first }: Arguments<Data[]>) => writer.writelines(first.map(toBytes)),
  writelinesValue: ({ writer }, { first }) => writer.writelines(first),
  writeEof: ({ writer }) => writer.writeEof(),
  canWriteEof: ({ writer }) => writer.canWriteEof(),
  drain: ({ writer }, { signal }) => writer.drain({ signal }),
  close: ({ writer }) => writer.close(),
  waitClosed: ({ writer }, { signal }) => writer.waitClosed({ signal }),
  isClosing: ({ writer }) => writer.isClosing(),
  abort: ({ writer }) => writer.transport.abort(),
  pauseReading: ({ writer }) => writer.transport.pauseReading(),
  resumeReading: ({ writer }) => writer.transport.resumeReading(),
  isReading: ({ writer }) => writer.transport.isReading(),
  setWriteBufferLimits: ({ writer }, { first }: Arguments<{ high?: number; low?: number }>) => writer.transport.setWriteBufferLimits(first),
  getWriteBufferLimits: ({ writer }) => writer.transport.getWriteBufferLimits(),
  bufferIsEmpty: ({ writer }) => writer.transport.getWriteBufferSize() === 0,
  getExtraInfo: ({ writer }, { all }) => writer.getExtraInfo(...(all as [string, unknown?])),
  family: ({ writer }) => writer.getExtraInfo("socket")?.family,
};

/** A server, and the connections to it. */
class World {
  readonly #kind: SocketCase["kind"];
  readonly #path = socketPath("s");
  readonly #servers: Server[] = [];
  readonly #ends = new Map<string, End>();
  readonly #accepted: End[] = [];
  readonly #started = new Started<Gives>();
  #onAccept: () => void = () => {};
  #port = 0;

  constructor(kind: SocketCase["kind"]) {
    this.#kind = kind;
  }

  async play([name, ...args]: Call): Promise<Gives> {
    const startedName = args[0] as string;
    switch (name) {
      case "start":
        this.#started.start(startedName, (signal) => this.#call(args[1] as Call, signal));
        return undefined;
      case "await":
        return this.#started.outcome(startedName);
      case "cancel":
        this.#started.cancel(startedName);
        await turns();
        return undefined;
      case "pending":
        await turns(PENDING_TURNS);
        return { value: !this.#started.hasEnded(startedName) };
      default:
        return this.#call([name, ...args]);
    }
  }

  /** Ends everything; waits until all that was started has ended. */
  async end(): Promise<void> {
    for (const server of this.#servers) server.close();
    for (const { writer } of [...this.#ends.values(), ...this.#accepted]) writer.transport.abort();
    await this.#started.end();
    for (const server of this.#servers) await server.waitClosed();
    for (const { writer } of this.#ends.values()) await writer.waitClosed().catch(() => {});
  }

  async #call(call: Call, signal?: AbortSignal): Promise<Gives> {
    try {
      const result = await this.#perform(call, signal);
      if (result === undefined) return undefined;
      return Buffer.isBuffer(result) ? { bytes: showBytes(result) } : { value: this.#mask(result) };
    } catch (error) {
      return normalError(error);
    }
  }

  #perform([name, ...args]: Call, signal: AbortSignal | undefined): unknown {
    if (name === "serve") return this.#serve(args[0] as ServeOptions);
    if (name === "serveAgain") return this.#serve({});
    if (name === "connect") return this.#connect(...(args as [string, string, { limit?: number }]));
    const [method, ...all] = args as [string, ...unknown[]];
    const onServer = name === "server" ? SERVER_STEPS[method] : undefined;
    const onEnd = name === "server" ? undefined : END_STEPS[method];
    if (onServer !== undefined) return onServer(this.#servers[0] as Server, signal);
    if (onEnd !== undefined) return onEnd(this.#ends.get(name) as End, { first: all[0] as never, all, signal });
    throw new Error(`no such step: ${name} ${method}`);
  }

  /** A value without what differs from run to run: paths and ports. */
  #mask(value: unknown): unknown {
    if (Array.isArray(value) && typeof value[0] === "string") return [value[0], value[1] === 0 ? 0 : "<port>", ...value.slice(2)];
    return value === this.#path ? "<path>" : value;
  }

  async #serve(options: ServeOptions): Promise<void> {
    const onClient = (reader: StreamReader, writer: StreamWriter): void => {
      this.#accepted.push({ reader, writer });
      this.#onAccept();
    };
    const starting =
      this.#kind === "unix"
        ? startUnixServer(onClient, this.#path, options)
        : startServer(onClient, "127.0.0.1", this.#findPort(), options);
    this.#servers.push(await starting);
  }

  /** The server's port; the one it had once it is closed. */
  #findPort(): number {
    const address = this.#servers[0]?.sockets[0]?.getsockname();
    if (Array.isArray(address)) this.#port = address[1] as number;
    return this.#port;
  }

  async #connect(client: string, peer: string, options: { limit?: number }): Promise<void> {
    const connecting =
      this.#kind === "unix" ? openUnixConnection(this.#path, options) : openConnection("127.0.0.1", this.#findPort(), options);
    const [reader, writer] = await connecting;
    this.#ends.set(client, { reader, writer });
    while (this.#accepted.length === 0) {
      await new Promise<void>((resolve) => {
        this.#onAccept = resolve;
      });
    }
    this.#ends.set(peer, this.#accepted.shift() as End);
  }
}

/** An error as it is recorded: those of the operating system by their code. */
function normalError(error: unknown): Outcome {
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (GONE.has(code as string)) return { error: "connection gone" };
  return typeof syscall === "string" ? { error: "OSError", code } : showError(error);
}
