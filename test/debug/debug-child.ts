/**
 * Runs one scenario of `debug-mode.test.ts` in a process of its own, because the debug mode is read once. Prints its
 * result and the warnings as a line of JSON.
 */
import { existsSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BaseProtocol,
  createServer,
  createUnixConnection,
  openUnixConnection,
  relay,
  type Server,
  StreamReader,
  StreamReaderProtocol,
  StreamWriter,
  startUnixServer,
  type Transport,
  toDuplex,
} from "asyncio-streams";
import { Framed, frames, netstring } from "asyncio-streams/framing";
import { createSubprocessExec, PIPE } from "asyncio-streams/process";
import { loadUnix, startFdServer } from "asyncio-streams/unix";
import { identity, trust } from "../support/certificates.js";
import { collectGarbage } from "../support/garbage.js";
import { tell } from "../support/parent.js";
import { until } from "../support/turns.js";

const path = join(process.argv[3] ?? tmpdir(), "debug.sock");
const warnings: (Error & { readonly code?: string })[] = [];
process.on("warning", (warning) => warnings.push(warning));

const isReported = (code: string): boolean => warnings.some((warning) => warning.code === code);

/** Collects garbage until something is reported as unclosed. A slow collection may be reported as well. */
async function collectUntilWarned(): Promise<void> {
  for (let round = 0; !isReported("ASYNCIO_STREAMS_UNCLOSED") && round < 50; round += 1) await collectGarbage();
}

async function collectSomeTimes(): Promise<void> {
  for (let round = 0; round < 5; round += 1) await collectGarbage();
}

/** A server whose clients are held, so that only the ends of the scenario can be dropped. */
interface Held {
  readonly server: Server;
  readonly pairs: [StreamReader, StreamWriter][];
}

async function holdClients(options: object = {}): Promise<Held> {
  const pairs: [StreamReader, StreamWriter][] = [];
  const server = await startUnixServer((reader, writer) => void pairs.push([reader, writer]), path, options);
  return { server, pairs };
}

async function end({ server, pairs }: Held): Promise<void> {
  for (const [, writer] of pairs) writer.abort();
  await server.shutdown({ graceMs: 0 });
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Waits until the peer of the only client has left. */
async function peerHasLeft({ pairs }: Held): Promise<boolean> {
  await until(() => pairs.length > 0);
  const [reader] = pairs[0] as [StreamReader, StreamWriter];
  return (await reader.read()).length === 0;
}

async function dropClient(): Promise<void> {
  const [, writer] = await openUnixConnection(path);
  writer.write("");
}

async function dropHandmade(): Promise<void> {
  const reader = new StreamReader();
  const [transport, protocol] = await createUnixConnection(() => new StreamReaderProtocol(reader), path);
  const writer = new StreamWriter(transport, protocol, reader);
  writer.write("");
}

async function dropTls(): Promise<void> {
  const [, writer] = await openUnixConnection(path);
  await writer.startTls(trust, { serverHostname: "localhost" });
}

const scenarios: Readonly<Record<string, () => Promise<unknown>>> = {
  async "drop a client"() {
    const held = await holdClients();
    await dropClient();
    await collectUntilWarned();
    const hasLeft = await peerHasLeft(held);
    await end(held);
    return hasLeft;
  },

  async "drop a half-open client"() {
    const held = await holdClients();
    await dropClient();
    await until(() => held.pairs.length > 0);
    held.pairs[0]?.[1].writeEof();
    await collectUntilWarned();
    const hasLeft = await peerHasLeft(held);
    await end(held);
    return hasLeft;
  },

  async "drop a client made by hand"() {
    const held = await holdClients();
    await dropHandmade();
    await collectUntilWarned();
    const hasLeft = await peerHasLeft(held);
    await end(held);
    return hasLeft;
  },

  async "drop a client after startTls"() {
    const pairs: Held["pairs"] = [];
    const server = await startUnixServer(async (reader, writer) => {
      await writer.startTls(identity("server"));
      pairs.push([reader, writer]);
    }, path);
    await dropTls();
    await until(() => pairs.length > 0);
    await collectUntilWarned();
    const hasLeft = await peerHasLeft({ server, pairs });
    await end({ server, pairs });
    return hasLeft;
  },

  async "drop a client of a server"() {
    const server = await startUnixServer(function serveBriefly() {}, path);
    const [reader, writer] = await openUnixConnection(path);
    await collectUntilWarned();
    const hasLeft = (await reader.read()).length === 0;
    writer.close();
    await server.shutdown();
    return hasLeft;
  },

  async "drop a server"() {
    await (async () => {
      await startUnixServer(() => {}, path);
    })();
    await collectUntilWarned();
    return await openUnixConnection(path).catch((error: NodeJS.ErrnoException) => error.code);
  },

  async "drop a server of descriptors"() {
    await loadUnix();
    await (async () => {
      await startFdServer(() => {}, path);
    })();
    await collectUntilWarned();
    return await openUnixConnection(path).catch((error: NodeJS.ErrnoException) => error.code);
  },

  async "drop a server of protocols"() {
    const port = await (async () => {
      const server = await createServer(() => new BaseProtocol(), "127.0.0.1", 0);
      return (server.sockets[0]?.getsockname() as [string, number])[1];
    })();
    await collectUntilWarned();
    const socket = net.connect(port, "127.0.0.1");
    return await new Promise((resolve) => socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code)).on("connect", resolve));
  },

  async "drop a process"() {
    const pid = await (async () => (await createSubprocessExec("sleep", ["1000"], { stdin: PIPE, stdout: PIPE })).pid)();
    await collectUntilWarned();
    await until(() => {
      try {
        return !process.kill(pid, 0);
      } catch {
        return true;
      }
    });
    return "ended";
  },

  async "keep what is in use"() {
    const held = await holdClients();
    // Each of these holds one part of a connection, or waits in one of its calls.
    const open = (): Promise<[StreamReader, StreamWriter]> => openUnixConnection(path);
    const holders: Readonly<Record<string, unknown>> = {
      reader: (await open())[0],
      writer: (await open())[1],
      loop: (await open())[0][Symbol.asyncIterator](),
      lines: (await open())[0].lines({ encoding: "utf8" }),
      chunks: (await open())[0].chunks(),
      frames: frames((await open())[0], netstring()),
      readable: (await open())[0].toReadable(),
      web: (await open())[0].toWeb(),
      writable: (await open())[1].toWritable(),
      duplex: toDuplex(...(await open())),
      framed: new Framed(...(await open()), netstring()),
    };
    void (await open())[0].readline();
    void (await open())[1].waitClosed().catch(() => {});
    const [drainReader, drainWriter] = await open();
    drainWriter.write(Buffer.alloc(4_000_000));
    void drainWriter.drain().catch(() => {});
    void drainReader;
    void relay(await open(), await open()).catch(() => {});
    await until(() => held.pairs.length === 16);
    await collectSomeTimes();
    held.server.close();
    return Object.keys(holders).length;
  },

  async "keep servers and processes in use"() {
    const end = new AbortController();
    const { signal } = end;
    void (async () => {
      const server = await startUnixServer(() => {}, path);
      await server.serveForever({ signal }).catch(() => {});
    })();
    const count = await startUnixServer(() => {}, `${path}2`, { signal }).then(({ sockets }) => sockets.length);
    await createSubprocessExec("sleep", ["1000"], { signal });
    const { stdout } = await createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE }); // ends with this process
    const waiting = await createSubprocessExec("sleep", ["1000"]).then((child) => ({ pid: child.pid, ended: child.wait() }));
    await collectSomeTimes();
    process.kill(waiting.pid, "SIGKILL");
    end.abort();
    await until(() => !existsSync(path) && !existsSync(`${path}2`));
    return [count, stdout.bufferedLength, await waiting.ended];
  },

  async "block in a callback"() {
    const server = await startUnixServer(function serveSlowly(_reader, writer) {
      block(120);
      writer.close();
    }, path);
    const [reader, writer] = await openUnixConnection(path);
    await reader.read();
    writer.close();
    await server.shutdown();
    return "done";
  },

  async "block after a read"() {
    const server = await startUnixServer(async function serveLater(reader, writer) {
      await reader.readline();
      block(120);
      writer.close();
    }, path);
    const [reader, writer] = await openUnixConnection(path);
    writer.write("go\n");
    await reader.read();
    writer.close();
    await server.shutdown();
    return "done";
  },

  async "block in a protocol"() {
    class SlowProtocol extends BaseProtocol {
      #transport: Transport | null = null;
      override connectionMade(transport: Transport): void {
        this.#transport = transport;
      }
      override dataReceived(): void {
        block(120);
        this.#transport?.close();
      }
    }
    const server = await createServer(() => new SlowProtocol(), "127.0.0.1", 0);
    const [host, port] = server.sockets[0]?.getsockname() as [string, number];
    const socket = net.connect(port, host);
    socket.write("go");
    await new Promise((resolve) => socket.resume().on("close", resolve));
    await server.shutdown();
    return "done";
  },

  async "block after a drain"() {
    const held = await holdClients();
    const [, writer] = await openUnixConnection(path);
    const sending = (async () => {
      writer.write(Buffer.alloc(4_000_000));
      await writer.drain();
      block(120);
    })();
    await until(() => held.pairs.length > 0);
    await held.pairs[0]?.[0].readexactly(4_000_000);
    await sending;
    writer.abort();
    await end(held);
    return "done";
  },

  async "block in a client"() {
    const server = await startUnixServer(async (_reader, writer) => {
      writer.write("go\n");
      writer.close();
    }, path);
    const [reader, writer] = await openUnixConnection(path);
    await reader.readline();
    block(120);
    writer.close();
    await server.shutdown();
    return "done";
  },

  /** Connects and serves, and counts what the debug mode would do. */
  async "count the cost"() {
    let registered = 0;
    let captured = 0;
    const register = Reflect.get(FinalizationRegistry.prototype, "register") as (...args: unknown[]) => void;
    Reflect.defineProperty(FinalizationRegistry.prototype, "register", {
      value(...args: unknown[]) {
        if (new Error().stack?.includes("/dist/") === true) registered += 1;
        register.apply(this, args);
      },
    });
    const capture = Reflect.get(Error, "captureStackTrace") as (...args: unknown[]) => void;
    Error.captureStackTrace = (...args: unknown[]): void => {
      captured += 1;
      capture(...args);
    };
    const server = await startUnixServer(async (reader, writer) => {
      writer.write(await reader.readline());
      await writer.drain();
      writer.close();
    }, path);
    const [reader, writer] = await openUnixConnection(path);
    writer.write("line\n");
    await reader.read();
    writer.close();
    await server.shutdown();
    return { registered, captured };
  },

  async "do not drain"() {
    const held = await holdClients();
    const [, writer] = await openUnixConnection(path);
    function writeTooMuch(): void {
      writer.write(Buffer.alloc(4_000_000));
    }
    writeTooMuch();
    while (!isReported("ASYNCIO_STREAMS_UNDRAINED_WRITE")) await new Promise((resolve) => process.once("warning", resolve));
    writer.abort();
    await end(held);
    return "done";
  },

  async drain() {
    const held = await holdClients();
    const ways: ((writer: StreamWriter) => unknown)[] = [
      (writer) => void writer.drain().catch(() => {}),
      (writer) => void writer.flush().catch(() => {}),
      (writer) => writer.writeEof(),
      (writer) => writer.close(),
      (writer) => writer.abort(),
      (writer) => writer.transport.abort(),
    ];
    const writers: StreamWriter[] = [];
    for (const way of ways) {
      const [, writer] = await openUnixConnection(path);
      writers.push(writer);
      writer.write(Buffer.alloc(4_000_000));
      way(writer);
    }
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    for (const writer of writers) writer.abort();
    await end(held);
    return "done";
  },
};

const result = await scenarios[process.argv[2] as string]?.();
await new Promise((resolve) => setImmediate(resolve));
tell({ result, warnings: warnings.map(({ name, message, code }) => ({ name, message, code })) });
process.exit(); // what is still open ends with the process
