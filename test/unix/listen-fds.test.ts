/** The variables of socket activation, `sd_listen_fds(3)`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ListenFd } from "asyncio-streams";
import { Child, scriptCommand } from "../support/child.js";
import type { Outcome } from "../support/outcome.js";

interface Told {
  readonly passed: ListenFd[] | null;
  readonly error: Outcome | null;
  readonly left: string[];
  readonly again: ListenFd[];
}

describe("listenFds()", () => {
  let peer: Child;
  before(() => {
    peer = new Child(scriptCommand("unix/listen-fds-child"));
  });
  after(() => peer.end());

  for (const [what, variables, passed] of [
    ["no variables", {}, []],
    ["one socket", { LISTEN_PID: "$PID", LISTEN_FDS: "1" }, [[3, "unknown"]]],
    ["no socket", { LISTEN_PID: "$PID", LISTEN_FDS: "0" }, []],
    ["one name", { LISTEN_PID: "$PID", LISTEN_FDS: "1", LISTEN_FDNAMES: "app.socket" }, [[3, "app.socket"]]],
    [
      "several names",
      { LISTEN_PID: "$PID", LISTEN_FDS: "3", LISTEN_FDNAMES: "a:b c:ü" },
      [
        [3, "a"],
        [4, "b c"],
        [5, "ü"],
      ],
    ],
    [
      "the same name twice",
      { LISTEN_PID: "$PID", LISTEN_FDS: "2", LISTEN_FDNAMES: "a:a" },
      [
        [3, "a"],
        [4, "a"],
      ],
    ],
    [
      "an empty name",
      { LISTEN_PID: "$PID", LISTEN_FDS: "2", LISTEN_FDNAMES: ":b" },
      [
        [3, "unknown"],
        [4, "b"],
      ],
    ],
    [
      "too few names",
      { LISTEN_PID: "$PID", LISTEN_FDS: "2", LISTEN_FDNAMES: "a" },
      [
        [3, "a"],
        [4, "unknown"],
      ],
    ],
    ["too many names", { LISTEN_PID: "$PID", LISTEN_FDS: "1", LISTEN_FDNAMES: "a:b" }, [[3, "a"]]],
    ["no process id", { LISTEN_FDS: "1" }, []],
    ["no number", { LISTEN_PID: "$PID" }, []],
    ["the parent's process id", { LISTEN_PID: `${process.pid}`, LISTEN_FDS: "1" }, []],
    ["process id 1", { LISTEN_PID: "1", LISTEN_FDS: "1", LISTEN_FDNAMES: "a" }, []],
    ["another's process id, and nonsense", { LISTEN_PID: "1", LISTEN_FDS: "many" }, []],
    ["systemd's newer variable", { LISTEN_PID: "$PID", LISTEN_PIDFDID: "7", LISTEN_FDS: "1" }, [[3, "unknown"]]],
  ] as const) {
    it(`with ${what} gives ${passed.length} sockets, and unsets the variables`, async () => {
      const told = await peer.ask<Told>("listenFds", variables);
      assert.equal(told.error, null);
      assert.deepEqual(
        told.passed,
        passed.map(([fd, name]) => ({ fd, name })),
      );
      assert.deepEqual([told.left, told.again], [[], []]);
    });
  }

  for (const [name, value] of [
    ["LISTEN_PID", ""],
    ["LISTEN_PID", "me"],
    ["LISTEN_PID", "-1"],
    ["LISTEN_PID", "0x10"],
    ["LISTEN_PID", " 1"],
    ["LISTEN_PID", "99999999999999999999"],
    ["LISTEN_FDS", ""],
    ["LISTEN_FDS", "-1"],
    ["LISTEN_FDS", "1.5"],
    ["LISTEN_FDS", "1e3"],
    ["LISTEN_FDS", "many"],
    ["LISTEN_FDS", "999999999"],
  ] as const) {
    it(`with ${name}=${JSON.stringify(value)} throws a TypeError that names it, and unsets the variables`, async () => {
      const told = await peer.ask<Told>("listenFds", { LISTEN_PID: "$PID", LISTEN_FDS: "1", [name]: value });
      assert.deepEqual([told.error?.name, told.error?.code], ["TypeError", "ERR_INVALID_ARG_VALUE"]);
      assert.ok(told.error?.message.includes(name) && told.error.message.includes(JSON.stringify(value)), told.error?.message);
      assert.deepEqual([told.left, told.again], [[], []]);
    });
  }
});
