/** A connected descriptor that is handed over. `net/sock.test.ts` and `net/sock-arguments.test.ts` check a `net.Socket`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { bareServer } from "../support/bare-sockets.js";
import { Child, scriptCommand } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { python, pythonCommand } from "./python.js";

describe("a connected descriptor as sock", needs(needsLinux, python), () => {
  for (const [what, sends] of [
    ["speaks first", true],
    ["waits", false],
  ] as const) {
    it(`is a connection like any other, to a peer who ${what}`, async () => {
      await using far = await bareServer(socketPath());
      const sockets = JSON.stringify([{ kind: "unix connected", path: far.path }]);
      await using peer = new Child(pythonCommand("launch", sockets, ...scriptCommand("unix/connected-child")));
      const socket = await far.accepted();
      if (sends) socket.write("early\n");
      let said = "";
      socket
        .setEncoding("utf8")
        .on("data", (text: string) => (said += text))
        .resume();
      assert.equal((await peer.next<string[]>()).length, 2);
      await until(() => said.startsWith("ours\n"));
      socket.end("late\n");
      await once(socket, "end");
      assert.equal(said, `ours\n${sends ? "EARLY\n" : ""}LATE\nthe end\n`);
      assert.equal(await peer.next(), "closed");
      assert.deepEqual(await peer.ended, { code: 0, signal: null });
    });
  }
});
