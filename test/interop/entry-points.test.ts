/** CPython's asyncio: each entry point of ours against its twin there and the other way round, plain and over TLS. What they say to each other in full: `test/parity/` and `test/tls/`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import {
  BaseProtocol,
  createConnection,
  createServer,
  createUnixConnection,
  createUnixServer,
  openConnection,
  openUnixConnection,
  type Server,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
  type Transport,
} from "asyncio-streams";
import { certificatesFolder, identity, trust } from "../support/certificates.js";
import { Piped } from "../support/piped.js";
import { testFile } from "../support/repository.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { findProgram } from "./program.js";

const LINES = ["one\n", `two ${"2".repeat(50_000)}\n`];
const ANSWER = LINES.join("").toUpperCase();

/** Starting one takes longer than all that it has to say. */
const PYTHONS = 4;

type ServerTls = { readonly ssl?: ReturnType<typeof identity> };
type ClientTls = { readonly ssl?: typeof trust; readonly serverHostname?: string };

class Upper extends BaseProtocol {
  #transport: Transport | undefined;
  override connectionMade(transport: Transport): void {
    this.#transport = transport;
  }
  override dataReceived(data: Buffer): void {
    this.#transport?.write(data.toString().toUpperCase());
  }
}

class Asking extends BaseProtocol {
  received = "";
  ended = false;
  #transport: Transport | undefined;
  override connectionMade(transport: Transport): void {
    this.#transport = transport;
    transport.writelines(LINES);
  }
  override dataReceived(data: Buffer): void {
    this.received += data.toString();
    if (this.received.length === ANSWER.length) this.#transport?.close();
  }
  override connectionLost(): void {
    this.ended = true;
  }
}

async function serveStreams(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader) {
    writer.write(line.toString().toUpperCase());
    await writer.drain();
  }
  writer.close();
}

async function askByStreams([reader, writer]: [StreamReader, StreamWriter]): Promise<string> {
  writer.writelines(LINES);
  const answer = (await reader.readexactly(ANSWER.length)).toString();
  writer.close();
  await writer.waitClosed();
  return answer;
}

async function askByProtocol(connecting: Promise<[Transport, Asking]>): Promise<string> {
  const [, protocol] = await connecting;
  await until(() => protocol.ended);
  return protocol.received;
}

/** Ours by the name of its twin; a port is that of TCP. */
const connecting: Readonly<Record<string, (path: string, port: number, tls: ClientTls) => Promise<string>>> = {
  open_unix_connection: async (path, _port, tls) => askByStreams(await openUnixConnection(path, tls)),
  open_connection: async (_path, port, tls) => askByStreams(await openConnection("127.0.0.1", port, tls)),
  create_unix_connection: (path, _port, tls) => askByProtocol(createUnixConnection(() => new Asking(), path, tls)),
  create_connection: (_path, port, tls) => askByProtocol(createConnection(() => new Asking(), "127.0.0.1", port, tls)),
};
const serving: Readonly<Record<string, (path: string, tls: ServerTls) => Promise<Server>>> = {
  start_unix_server: (path, tls) => startUnixServer(serveStreams, path, tls),
  start_server: (_path, tls) => startServer(serveStreams, "127.0.0.1", 0, tls),
  create_unix_server: (path, tls) => createUnixServer(() => new Upper(), path, tls),
  create_server: (_path, tls) => createServer(() => new Upper(), "127.0.0.1", 0, tls),
};

function python(name: string, where: string, tls: boolean): Piped {
  return new Piped([
    findProgram("python3", "python3"),
    testFile("interop/entry_points.py"),
    name,
    where,
    tls ? certificatesFolder : "plain",
  ]);
}

const overUnix = (name: string): boolean => name.includes("unix");

for (const tls of [false, true]) {
  describe(`CPython's entry points, ${tls ? "over TLS" : "plain"}`, { concurrency: PYTHONS }, () => {
    for (const [client, ask] of Object.entries(connecting)) {
      for (const server of Object.keys(serving).filter((name) => overUnix(name) === overUnix(client))) {
        it(`${server} serves our twin of ${client}`, async () => {
          const path = socketPath();
          await using peer = python(server, overUnix(server) ? path : "tcp", tls);
          const port = Number(await peer.firstLine());
          assert.equal(await ask(path, port, tls ? { ssl: trust, serverHostname: "localhost" } : {}), ANSWER);
          peer.endInput();
          assert.equal(await peer.end(), 0, peer.complaints);
          rmSync(path, { force: true });
        });
      }
    }

    for (const [server, serve] of Object.entries(serving)) {
      for (const client of Object.keys(connecting).filter((name) => overUnix(name) === overUnix(server))) {
        it(`${client} is served by our twin of ${server}`, async () => {
          const path = socketPath();
          const ours = await serve(path, tls ? { ssl: identity("server") } : {});
          const address = ours.sockets[0]?.getsockname();
          await using peer = python(client, typeof address === "string" ? address : String(address?.[1]), tls);
          assert.equal(await peer.end(), 0, peer.complaints);
          assert.equal(peer.output, "ok\n");
          ours.close();
          await ours.waitClosed();
        });
      }
    }
  });
}
