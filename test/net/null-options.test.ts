/** `null` is no way not to give an option: it is refused like any other wrong value. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  BaseProtocol,
  createConnection,
  createServer,
  createUnixConnection,
  createUnixServer,
  openConnection,
  openUnixConnection,
  StreamReader,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { ndjson } from "asyncio-streams/framing";
import { memoryPair } from "asyncio-streams/testing";
import { identity, trust } from "../support/certificates.js";
import { socketPath } from "../support/temporary.js";

const OF_TLS = ["ssl", "sslHandshakeTimeout", "sslShutdownTimeout"];
const OF_CLIENTS = [...OF_TLS, "serverHostname", "sock", "signal"];
const OF_TCP_CLIENTS = [...OF_CLIENTS, "family", "localAddr", "happyEyeballsDelay", "interleave", "allErrors"];
const OF_SERVERS = [...OF_TLS, "sock", "signal", "backlog", "startServing", "maxConnections"];
const OF_UNIX_SERVERS = [...OF_SERVERS, "mode", "owner", "takeover", "cleanupSocket"];
const OF_TCP_SERVERS = [...OF_SERVERS, "family", "reuseAddress", "reusePort", "keepAlive"];

const makeProtocol = (): BaseProtocol => new BaseProtocol();
/** The arguments in front of the options: with `sock`, none of them is given. */
const pathFor = (option: string): string | null => (option === "sock" ? null : socketPath());
const addressFor = (option: string): readonly [host: string | null, port: number | null] =>
  option === "sock" ? [null, null] : ["127.0.0.1", 0];

/** What the options of TLS need beside them. */
const clientTls = { ssl: trust, serverHostname: "localhost" };
const serverTls = { ssl: identity("server") };

const calls: Readonly<Record<string, readonly [options: readonly string[], call: (option: string, given: object) => Promise<unknown>]>> = {
  openUnixConnection: [["limit", ...OF_CLIENTS], (option, given) => openUnixConnection(pathFor(option), given)],
  createUnixConnection: [OF_CLIENTS, (option, given) => createUnixConnection(makeProtocol, pathFor(option), given)],
  openConnection: [["limit", ...OF_TCP_CLIENTS], (option, given) => openConnection(...addressFor(option), given)],
  createConnection: [OF_TCP_CLIENTS, (option, given) => createConnection(makeProtocol, ...addressFor(option), given)],
  startUnixServer: [["limit", "onClientError", ...OF_UNIX_SERVERS], (option, given) => startUnixServer(() => {}, pathFor(option), given)],
  createUnixServer: [["onError", ...OF_UNIX_SERVERS], (option, given) => createUnixServer(makeProtocol, pathFor(option), given)],
  startServer: [["limit", "onClientError", ...OF_TCP_SERVERS], (option, given) => startServer(() => {}, ...addressFor(option), given)],
  createServer: [["onError", ...OF_TCP_SERVERS], (option, given) => createServer(makeProtocol, ...addressFor(option), given)],
};

const refused = (option: string): object => ({
  name: "TypeError",
  code: "ERR_INVALID_ARG_TYPE",
  message: new RegExp(`^${option} must be .*, not null$`),
});

for (const [name, [options, call]] of Object.entries(calls)) {
  describe(`${name}() with null for an option`, () => {
    for (const option of options) {
      it(`refuses ${option}`, async () => {
        const tls = /^(open|create\w*Connection)/.test(name) ? clientTls : serverTls;
        await assert.rejects(call(option, { ...(/^(ssl|serverHostname)/.test(option) ? tls : {}), [option]: null }), refused(option));
      });
    }
  });
}

describe("null for an option of another call", () => {
  const [{ reader, writer }] = memoryPair();
  for (const option of ["signal", "timeout"]) {
    it(`is refused: ${option}`, async () => {
      const given = { [option]: null } as object;
      for (const waiting of [
        () => reader.readline(given),
        () => reader.readexactly(1, given),
        () => writer.drain(given),
        () => writer.flush(given),
        () => writer.waitClosed(given),
      ]) {
        await assert.rejects(waiting, refused(option));
      }
    });
  }

  it("is refused: limit, maxFrameSize, serverHostname, highWaterMark", async () => {
    assert.throws(() => new StreamReader({ limit: null as never }), refused("limit"));
    assert.throws(() => ndjson({ maxFrameSize: null as never }), refused("maxFrameSize"));
    assert.throws(() => writer.toWritable({ highWaterMark: null as never }), refused("highWaterMark"));
    await assert.rejects(writer.startTls(true, { serverHostname: null as never }), refused("serverHostname"));
  });
});
