/**
 * The world that a piece of code in the documentation runs in: it talks of sockets in `/run`, of hosts and of files that are not there.
 *
 * Its functions take what is written and use something of the kind: a socket in the working directory, a server of TLS on a free port, a certificate of the tests. A peer
 * says a few lines and takes whatever it is sent. Everything else is the library's own.
 */
import { existsSync, readFileSync as readRealFile } from "node:fs";
import { resolve } from "node:path";
import {
  type ClientConnectedCallback,
  openConnection,
  openUnixConnection,
  type Server,
  type SocketAddress,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { type FdStreamReader, type FdStreamWriter, openFdConnection, startFdServer } from "asyncio-streams/unix";

/** What the peer says: a line, a header of four bytes, a head that ends in an empty line, and lines. */
const SAID = "220 ready\r\n1234Length: 9\r\n\r\nsome\nkeep me\n---\nthe rest";

/** A server that serves for ever is closed after so long, in milliseconds. */
const FOR_EVER_MS = 100;

/** Whatever else waits for the end of a server hears of it after so long; a loaded machine may take long to come to that. */
const AT_LAST_MS = 10_000;

const PEER = resolve("peer.sock");
const OWN = resolve("app.sock");

/** Says what it has to, and takes what comes. */
const speak: ClientConnectedCallback = async (reader, writer) => {
  writer.write(SAID);
  writer.writeEof();
  for await (const chunk of reader.chunks()) void chunk;
  writer.close();
};

/** The same over TLS, where a side cannot be ended alone. */
const speakSecurely: ClientConnectedCallback = async (_reader, writer) => {
  writer.write(SAID);
  await writer.flush();
  writer.close();
};

/** The code may leave its peer at any time. */
const quiet = { onClientError: () => {} };

/** Answers `STARTTLS`, and takes what comes. */
const answerStartTls: ClientConnectedCallback = async (reader, writer) => {
  await reader.readline();
  writer.write("220 ready\r\n");
  await writer.startTls(identity());
  for await (const line of reader) void line;
};

/** A proxy and the site behind it in one: answers `CONNECT`, and speaks TLS within TLS. */
const proxy: ClientConnectedCallback = async (reader, writer) => {
  await reader.readuntil("\r\n\r\n");
  writer.write("HTTP/1.1 200 OK\r\n\r\n");
  await writer.startTls(identity());
  for await (const line of reader) void line;
};

const identity = () => ({ cert: readRealFile("server.pem"), key: readRealFile("server.key.pem"), ca: readRealFile("ca.pem") });
const trust = () => ({ ca: readRealFile("ca.pem"), cert: readRealFile("client.pem"), key: readRealFile("client.key.pem") });

/** All that the code may talk of beside the library. */
export interface World {
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
  readonly transport: StreamWriter["transport"];
  readonly server: Server;
  readonly signal: AbortSignal;
  readonly serveClient: ClientConnectedCallback;
  readonly readFileSync: (name: string) => Buffer;
  readonly openConnection: typeof openConnection;
  readonly openUnixConnection: typeof openUnixConnection;
  readonly startServer: typeof startServer;
  readonly startUnixServer: typeof startUnixServer;
  readonly openFdConnection: typeof openFdConnection;
  readonly startFdServer: typeof startFdServer;
  /** Runs the code, then what it does when the process is told to end, and takes everything down. */
  run(snippet: () => Promise<unknown>): Promise<void>;
}

/** Makes the world for one piece of code; `startsTls`: the peer is to answer `STARTTLS`. */
export async function makeWorld(startsTls: boolean): Promise<World> {
  const servers: Server[] = [];
  const writers: StreamWriter[] = [];
  const serving = async <Address extends SocketAddress>(starting: Promise<Server<Address>>): Promise<Server<Address>> => {
    const server = await starting;
    const serveForever = server.serveForever.bind(server);
    server.serveForever = (options) => {
      setTimeout(() => server.close(), FOR_EVER_MS);
      return serveForever(options);
    };
    servers.push(server);
    return server;
  };
  const opening = async <Address extends SocketAddress>(
    connecting: Promise<[StreamReader, StreamWriter<Address>]>,
  ): Promise<[StreamReader, StreamWriter<Address>]> => {
    const pair = await connecting;
    const [, opened] = pair;
    const startTls = opened.startTls.bind(opened);
    opened.startTls = () => startTls(trust(), { serverHostname: "localhost" });
    writers.push(opened);
    return pair;
  };

  await serving(startUnixServer(startsTls ? answerStartTls : speak, PEER, quiet));
  const secure = await serving(startServer(speakSecurely, "127.0.0.1", 0, { ...quiet, ssl: identity() }));
  const tunnel = await serving(startServer(proxy, "127.0.0.1", 0, { ...quiet, ssl: identity() }));
  const [reader, writer] = await opening(openUnixConnection(PEER));

  return {
    reader,
    writer,
    transport: writer.transport,
    server: await serving(startUnixServer(speak, resolve("server.sock"))),
    signal: new AbortController().signal,
    serveClient: speak,
    readFileSync: (name) => (existsSync(name) ? readRealFile(name) : name.endsWith(".pem") ? pem(name) : Buffer.alloc(100_000)),
    openConnection(name, _port, options) {
      const [host, port] = (name?.startsWith("proxy.") ? tunnel : secure).sockets[0]?.getsockname() as [string, number];
      return opening(openConnection(host, port, { ...options, ssl: trust(), serverHostname: "localhost" }));
    },
    openUnixConnection: (_path, options) => opening(openUnixConnection(PEER, options)),
    startServer: (callback, _host, _port, options) => serving(startServer(callback, "127.0.0.1", 0, { ...options, ssl: identity() })),
    startUnixServer: (callback, _path, options) =>
      serving(startUnixServer(callback, OWN, options?.owner === undefined ? options : { ...options, owner: { gid: process.getgid?.() } })),
    async openFdConnection(_path, options): Promise<[FdStreamReader, FdStreamWriter]> {
      const pair = await openFdConnection(options?.sock === undefined ? PEER : null, options);
      writers.push(pair[1]);
      return pair;
    },
    startFdServer: (callback, _path, options) => serving(startFdServer(callback, OWN, options)),
    async run(snippet) {
      const atLast = setTimeout(() => {
        for (const server of servers) server.close();
      }, AT_LAST_MS);
      await snippet();
      clearTimeout(atLast);
      const handlers: readonly ((signal: NodeJS.Signals) => unknown)[] = process.listeners("SIGTERM");
      await Promise.all(handlers.map((handle) => handle("SIGTERM")));
      process.removeAllListeners("SIGTERM");
      for (const one of writers) one.abort();
      for (const server of servers) await server.shutdown({ graceMs: 0 });
    },
  };
}

function pem(name: string): Buffer {
  return readRealFile(name.includes("key") ? "server.key.pem" : "server.pem");
}
