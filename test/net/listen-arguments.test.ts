/** Bad input to the listening calls: refused before anything is opened, with no file and no hidden directory left. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { BaseProtocol, createServer, createUnixServer, startServer, startUnixServer } from "asyncio-streams";
import { type OptionRow, RANGE, show, TYPE, VALUE } from "../support/refused.js";
import { socketPath } from "../support/temporary.js";

const OF_BOTH: readonly OptionRow[] = [
  ["backlog", RANGE, -1, Number.NaN],
  ["backlog", TYPE, "100"],
  ["startServing", TYPE, 1, "no"],
  ["maxConnections", RANGE, 0, -5, 1.5],
  ["maxConnections", TYPE, "5"],
  ["signal", TYPE, {}, "abort"],
  ["sock", TYPE, {}, "3", null],
  ["ssl", { name: "TypeError" }, true],
  ["sslHandshakeTimeout", VALUE, 1_000],
  ["sslShutdownTimeout", VALUE, 1_000],
];
const OF_STREAMS: readonly OptionRow[] = [
  ["limit", RANGE, 0, -1, Number.NaN],
  ["limit", TYPE, "1024"],
  ["onClientError", TYPE, "log", null],
];
const OF_PROTOCOLS: readonly OptionRow[] = [["onError", TYPE, "log"]];
const OF_UNIX: readonly OptionRow[] = [
  ["mode", RANGE, -1, 0o10000],
  ["mode", TYPE, "600", null],
  ["cleanupSocket", TYPE, 0],
];
const OF_TCP: readonly OptionRow[] = [
  ["family", VALUE, 5],
  ["family", TYPE, "IPv6"],
  ["reuseAddress", VALUE, false],
  ["reuseAddress", TYPE, 1],
  ["reusePort", TYPE, "yes"],
  ["keepAlive", TYPE, 1],
];

const callback = (): void => {};
const factory = (): BaseProtocol => new BaseProtocol();

describe("the options of a Unix server", () => {
  for (const [entry, serve, rows] of [
    ["startUnixServer", (path: string | undefined, options: object) => startUnixServer(callback, path, options), [...OF_STREAMS]],
    ["createUnixServer", (path: string | undefined, options: object) => createUnixServer(factory, path, options), [...OF_PROTOCOLS]],
  ] as const) {
    for (const [option, expected, ...values] of [...OF_BOTH, ...OF_UNIX, ...rows]) {
      for (const value of values) {
        it(`${entry}() refuses { ${option}: ${show(value)} }, names it, and leaves nothing`, async () => {
          const path = socketPath();
          const given = option === "sock" ? undefined : path;
          await assert.rejects(serve(given, { [option]: value }), { ...expected, message: new RegExp(option) });
          assert.deepEqual(readdirSync(dirname(path)), []);
        });
      }
    }

    for (const wrong of [0o600, "mode", null, true]) {
      it(`${entry}() refuses ${show(wrong)} as options`, async () => {
        const path = socketPath();
        await assert.rejects(serve(path, wrong as never), { ...TYPE, message: /options/ });
        assert.deepEqual(readdirSync(dirname(path)), []);
      });
    }

    it(`${entry}() needs a path or a sock`, async () => {
      await assert.rejects(serve(undefined, {}), { ...VALUE, message: /path.*sock/ });
    });
  }

  for (const wrong of [undefined, null, {}, "callback"]) {
    it(`startUnixServer() refuses ${show(wrong)} as callback`, async () => {
      const path = socketPath();
      await assert.rejects(startUnixServer(wrong as never, path), { ...TYPE, message: /clientConnectedCb/ });
      assert.deepEqual(readdirSync(dirname(path)), []);
    });

    it(`createUnixServer() refuses ${show(wrong)} as protocolFactory`, async () => {
      const path = socketPath();
      await assert.rejects(createUnixServer(wrong as never, path), { ...TYPE, message: /protocolFactory/ });
      assert.deepEqual(readdirSync(dirname(path)), []);
    });
  }
});

describe("the arguments of a TCP server", () => {
  type Address = readonly [host?: never, port?: never];
  for (const [entry, serve, rows] of [
    ["startServer", ([host, port]: Address, options: object) => startServer(callback, host, port, options), [...OF_STREAMS]],
    ["createServer", ([host, port]: Address, options: object) => createServer(factory, host, port, options), [...OF_PROTOCOLS]],
  ] as const) {
    for (const [option, expected, ...values] of [...OF_BOTH, ...OF_TCP, ...rows]) {
      for (const value of values) {
        it(`${entry}() refuses { ${option}: ${show(value)} }, and names it`, async () => {
          const address = option === "sock" ? [] : ["127.0.0.1", 0];
          await assert.rejects(serve(address as never, { [option]: value }), { ...expected, message: new RegExp(option) });
        });
      }
    }

    for (const [port, expected] of [
      [-1, RANGE],
      [65_536, RANGE],
      [Number.NaN, RANGE],
      [1.5, RANGE],
      ["80", TYPE],
    ] as const) {
      it(`${entry}() refuses ${show(port)} as port`, async () => {
        await assert.rejects(serve(["127.0.0.1", port] as never, {}), { ...expected, message: /port/ });
      });
    }

    for (const host of [5, {}, [], [5], ["127.0.0.1", ""], [null]]) {
      it(`${entry}() refuses ${show(host)} as host`, async () => {
        await assert.rejects(serve([host, 0] as never, {}), { ...TYPE, message: /host/ });
      });
    }

    it(`${entry}() refuses 5 as options`, async () => {
      await assert.rejects(serve(["127.0.0.1", 0] as never, 5 as never), { ...TYPE, message: /options/ });
    });

    it(`${entry}() needs a host or port, or a sock`, async () => {
      await assert.rejects(serve([], {}), { ...VALUE, message: /host.*sock/ });
    });
  }

  it("refuse a callback that is not a function", async () => {
    await assert.rejects(startServer("callback" as never, "127.0.0.1", 0), { ...TYPE, message: /clientConnectedCb/ });
    await assert.rejects(createServer(null as never, "127.0.0.1", 0), { ...TYPE, message: /protocolFactory/ });
  });
});
