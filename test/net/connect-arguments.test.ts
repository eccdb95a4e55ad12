/** Bad input to the connecting calls: refused before anything is opened. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  BaseProtocol,
  createConnection,
  createUnixConnection,
  type OpenConnectionOptions,
  openConnection,
  openUnixConnection,
} from "asyncio-streams";
import { bareServer } from "../support/bare-sockets.js";
import { type OptionRow, RANGE, show, TYPE, VALUE } from "../support/refused.js";
import { socketPath } from "../support/temporary.js";
import { turns } from "../support/turns.js";

const OF_BOTH: readonly OptionRow[] = [
  ["signal", TYPE, 5, {}, null],
  ["sock", TYPE, "3", {}, null],
  ["serverHostname", VALUE, "localhost"],
  ["sslHandshakeTimeout", VALUE, 1_000],
  ["sslShutdownTimeout", VALUE, 1_000],
];
const OF_STREAMS: readonly OptionRow[] = [
  ["limit", RANGE, 0, -1, 1.5, Number.NaN, Infinity],
  ["limit", TYPE, "1024", null, 10n],
];
const OF_TCP: readonly OptionRow[] = [
  ["family", VALUE, 5],
  ["family", TYPE, "IPv4"],
  ["localAddr", TYPE, "127.0.0.1", [5, 0], ["127.0.0.1"]],
  ["localAddr", RANGE, ["127.0.0.1", -1], ["127.0.0.1", 65_536]],
  ["happyEyeballsDelay", RANGE, -1, Number.NaN],
  ["happyEyeballsDelay", TYPE, "250"],
  ["interleave", RANGE, -1, 0.5],
  ["interleave", TYPE, "1"],
  ["allErrors", TYPE, 1],
];

describe("the options of a Unix connection", () => {
  for (const [entry, connect, rows] of [
    ["openUnixConnection", openUnixConnection, [...OF_BOTH, ...OF_STREAMS]],
    [
      "createUnixConnection",
      (path: string | undefined, options: object) => createUnixConnection(() => new BaseProtocol(), path, options),
      OF_BOTH,
    ],
  ] as const) {
    for (const [option, expected, ...values] of rows) {
      for (const value of values) {
        it(`${entry}() refuses { ${option}: ${show(value)} }, and names it`, async () => {
          await using far = await bareServer(socketPath());
          const path = option === "sock" ? undefined : far.path;
          await assert.rejects(connect(path, { [option]: value }), { ...expected, message: new RegExp(option) });
          await turns(3);
          assert.equal(far.sockets.length, 0);
        });
      }
    }

    for (const wrong of [5, "limit", null, true]) {
      it(`${entry}() refuses ${show(wrong)} as options`, async () => {
        await using far = await bareServer(socketPath());
        await assert.rejects(connect(far.path, wrong as never), { ...TYPE, message: /options/ });
        await turns(3);
        assert.equal(far.sockets.length, 0);
      });
    }

    it(`${entry}() needs a path or a sock`, async () => {
      await assert.rejects(connect(undefined, {}), { ...VALUE, message: /path.*sock/ });
    });
  }

  it("ssl needs a serverHostname", async () => {
    await using far = await bareServer(socketPath());
    await assert.rejects(openUnixConnection(far.path, { ssl: true }), TypeError);
    await turns(3);
    assert.equal(far.sockets.length, 0);
  });

  it("an option that is undefined counts as absent", async () => {
    await using far = await bareServer(socketPath());
    const [, writer] = await openUnixConnection(far.path, {
      limit: undefined,
      sock: undefined,
      signal: undefined,
      ssl: undefined,
      serverHostname: undefined,
    });
    writer.close();
    await writer.waitClosed();
  });

  for (const wrong of [undefined, null, {}, "factory"]) {
    it(`createUnixConnection() refuses ${show(wrong)} as protocolFactory`, async () => {
      await using far = await bareServer(socketPath());
      await assert.rejects(createUnixConnection(wrong as never, far.path), { ...TYPE, message: /protocolFactory/ });
      await turns(3);
      assert.equal(far.sockets.length, 0);
    });
  }
});

describe("the arguments of a TCP connection", () => {
  for (const [entry, connect, rows] of [
    ["openConnection", openConnection, [...OF_BOTH, ...OF_STREAMS, ...OF_TCP]],
    [
      "createConnection",
      (host: string | undefined, port: number | undefined, options: OpenConnectionOptions) =>
        createConnection(() => new BaseProtocol(), host, port, options),
      [...OF_BOTH, ...OF_TCP],
    ],
  ] as const) {
    for (const [option, expected, ...values] of rows) {
      for (const value of values) {
        it(`${entry}() refuses { ${option}: ${show(value)} }, and names it`, async () => {
          await using far = await bareServer();
          const [host, port] = option === "sock" ? [] : (["127.0.0.1", far.port] as const);
          await assert.rejects(connect(host, port, { [option]: value }), { ...expected, message: new RegExp(option) });
          await turns(3);
          assert.equal(far.sockets.length, 0);
        });
      }
    }

    for (const [port, expected] of [
      [-1, RANGE],
      [65_536, RANGE],
      [Number.NaN, RANGE],
      [80.5, RANGE],
      [Infinity, RANGE],
      ["80", TYPE],
      [undefined, TYPE],
      [null, TYPE],
    ] as const) {
      it(`${entry}() refuses ${show(port)} as port`, async () => {
        await assert.rejects(connect("127.0.0.1", port as never, {}), { ...expected, message: /port/ });
      });
    }

    for (const [host, expected] of [
      ["", VALUE],
      [5, TYPE],
      [["127.0.0.1"], TYPE],
    ] as const) {
      it(`${entry}() refuses ${show(host)} as host`, async () => {
        await using far = await bareServer();
        await assert.rejects(connect(host as never, far.port, {}), { ...expected, message: /host/ });
        await turns(3);
        assert.equal(far.sockets.length, 0);
      });
    }

    it(`${entry}() needs a host and port, or a sock`, async () => {
      await assert.rejects(connect(undefined, undefined, {}), { ...VALUE, message: /host.*sock/ });
    });
  }
});
