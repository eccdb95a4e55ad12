import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { openConnection } from "asyncio-streams";
import { hasKeepAliveProbes } from "#src/transports/stream-handle.js";
import { bareServer } from "../support/bare-sockets.js";
import { needs, needsLinux } from "../support/needs.js";
import { kinds, openPair } from "../support/pairs.js";
import { findPython } from "../support/python.js";
import { cannot } from "../support/runtime.js";

const python = findPython();

for (const kind of kinds) {
  describe(`the extra info "socket" of a connection over ${kind.name}`, () => {
    it("takes the options of TCP, which do nothing over others", async () => {
      await using pair = await openPair(kind);
      const socket = pair.client.writer.getExtraInfo("socket")!;
      socket.setNoDelay();
      socket.setNoDelay(false);
      socket.setKeepAlive();
      socket.setKeepAlive(true, 1_000);
      pair.client.writer.write("still there\n");
      assert.equal((await pair.peer.reader.readline()).toString(), "still there\n");
    });

    it("refuses options of another type", async () => {
      await using pair = await openPair(kind);
      const socket = pair.client.writer.getExtraInfo("socket")!;
      assert.throws(() => socket.setNoDelay(1 as never), TypeError);
      assert.throws(() => socket.setKeepAlive("yes" as never), TypeError);
      for (const delay of [-1, 1, 500, 999, 1_500, 32_768_000, Number.NaN, Infinity])
        assert.throws(() => socket.setKeepAlive(true, delay), { name: "RangeError", code: "ERR_OUT_OF_RANGE", message: /initialDelay/ });
      assert.throws(() => socket.setKeepAlive(true, "1000" as never), { name: "TypeError", message: /initialDelay/ });
      for (const interval of [0, 500, 1_001, 32_768_000])
        assert.throws(() => socket.setKeepAlive(true, 1_000, interval), { name: "RangeError", message: /interval/ });
      for (const count of [0, 1.5, 128])
        assert.throws(() => socket.setKeepAlive(true, 1_000, 1_000, count), { name: "RangeError", message: /count/ });
    });

    it("takes the interval and the count of the probes where the runtime can set them, and refuses them by name elsewhere", async () => {
      await using pair = await openPair(kind);
      const socket = pair.client.writer.getExtraInfo("socket")!;
      const VALUE = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE" };
      for (const [name, args] of [
        ["interval", [2_000, 5]],
        ["interval", [2_000, undefined]],
        ["count", [undefined, 5]],
      ] as const) {
        assert.throws(() => socket.setKeepAlive(true, 0, ...args), { ...VALUE, message: new RegExp(`^${name} needs an initialDelay`) });
        if (hasKeepAliveProbes) socket.setKeepAlive(true, 60_000, ...args);
        else assert.throws(() => socket.setKeepAlive(true, 60_000, ...args), { ...VALUE, message: new RegExp(`^${name} needs a runtime`) });
      }
    });
  });
}

/** Prints SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT of the socket at descriptor 3. */
const PROBES = "import socket; s = socket.socket(fileno=3); print(s.getsockopt(1, 9), *[s.getsockopt(6, o) for o in (4, 5, 6)])";

describe("setKeepAlive()", () => {
  it(
    "sets the delay, and the interval and the count where it can",
    needs(needsLinux, python, cannot("pass-descriptor", "deno")),
    async () => {
      await using far = await bareServer();
      const sock = net.connect(far.port, "127.0.0.1");
      await once(sock, "connect");
      const { fd } = (sock as unknown as { _handle: { fd: number } })._handle;
      const probes = (): string =>
        spawnSync(python.binary, ["-c", PROBES], { stdio: ["ignore", "pipe", "inherit", fd], encoding: "utf8" }).stdout.trim();
      const [, writer] = await openConnection(null, null, { sock });
      const socket = writer.getExtraInfo("socket")!;
      assert.match(probes(), /^0 /);
      socket.setKeepAlive(true, 60_000);
      assert.match(probes(), /^1 60 /);
      if (hasKeepAliveProbes) {
        socket.setKeepAlive(true, 61_000, 3_000, 7);
        assert.equal(probes(), "1 61 3 7");
      }
      socket.setKeepAlive(false);
      assert.match(probes(), /^0 /);
      writer.close();
      await writer.waitClosed();
    },
  );
});
