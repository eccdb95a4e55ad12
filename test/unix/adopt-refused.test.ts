/** Descriptors that are handed over and refused: whatever fails, the descriptor is closed, once, if it is a socket, and left alone if it is none. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import { bareServer } from "../support/bare-sockets.js";
import { Child, scriptCommand } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import type { Outcome } from "../support/outcome.js";
import { cannot } from "../support/runtime.js";
import { temporaryDirectory } from "../support/temporary.js";
import type { AdoptCase } from "./adopt-case.js";
import { python, pythonCommand } from "./python.js";

/** What is handed over, the call, the error's code, its message. */
type Row = readonly [kind: string, adopted: AdoptCase, code: string | undefined, message: RegExp];

const value = "ERR_INVALID_ARG_VALUE";
const type = "ERR_INVALID_ARG_TYPE";
const range = "ERR_OUT_OF_RANGE";

const rows: readonly Row[] = [
  // What is not a connected Unix stream socket.
  ["unix listening", { call: "openUnixConnection" }, value, /must be a connected socket: file descriptor \d+ is not connected/],
  ["unix bound", { call: "openUnixConnection" }, value, /must be a connected socket/],
  ["tcp connected", { call: "openUnixConnection" }, value, /must be a Unix stream socket: file descriptor \d+ is a TCP socket/],
  ["tcp listening", { call: "openUnixConnection" }, value, /must be a Unix stream socket/],
  [
    "tcp reset",
    { call: "openUnixConnection" },
    value,
    /must be a (Unix stream socket: file descriptor \d+ is a TCP|connected Unix or TCP) socket/,
  ],
  ["tcp unconnected", { call: "openConnection" }, value, /must be a connected (Unix or TCP )?socket: /],
  ["dgram bound", { call: "openUnixConnection" }, value, /must be a stream socket/],
  ["udp bound", { call: "openUnixConnection" }, value, /must be a stream socket/],
  ["seqpacket listening", { call: "openUnixConnection" }, value, /must be a stream socket/],
  ["file", { call: "openUnixConnection" }, value, /must be a socket: file descriptor \d+ is not a socket/],
  ["pipe", { call: "openUnixConnection" }, value, /must be a socket/],
  ["unix connected", { call: "openConnection" }, value, /must be a TCP stream socket: file descriptor \d+ is a Unix socket/],
  // What is not a listening Unix stream socket.
  ["unix connected", { call: "startUnixServer" }, value, /must be a listening socket: file descriptor \d+ is not listening/],
  ["tcp listening", { call: "startUnixServer" }, value, /must be a Unix stream socket: file descriptor \d+ is a TCP socket/],
  ["dgram bound", { call: "startUnixServer" }, value, /must be a stream socket/],
  ["udp bound", { call: "startUnixServer" }, value, /must be a stream socket/],
  ["seqpacket listening", { call: "startUnixServer" }, value, /must be a stream socket/],
  ["netlink", { call: "startUnixServer" }, value, /must be a (listening or a bound )?stream socket/],
  ["file", { call: "startUnixServer" }, value, /must be a socket/],
  ["unix listening", { call: "startServer" }, value, /must be a TCP stream socket: file descriptor \d+ is a Unix socket/],
  // Good ones, in calls that fail for another reason.
  ["unix connected", { call: "openUnixConnection", path: "/tmp/x" }, value, /path and sock/],
  ["unix connected", { call: "openUnixConnection", options: { limit: 0 } }, range, /limit/],
  ["unix connected", { call: "openUnixConnection", options: { ssl: true } }, value, /serverHostname/],
  ["unix connected", { call: "openUnixConnection", aborted: true }, undefined, /abort/i],
  ["unix connected", { call: "badConnectionFactory" }, type, /protocolFactory/],
  ["unix connected", { call: "throwingFactory" }, undefined, /no protocol/],
  ["unix listening", { call: "startUnixServer", path: "/tmp/x" }, value, /path and sock/],
  ["unix listening", { call: "startUnixServer", options: { mode: 0o600 } }, value, /mode/],
  ["unix listening", { call: "startUnixServer", options: { owner: { uid: 0 } } }, value, /owner/],
  ["unix listening", { call: "startUnixServer", options: { takeover: true } }, value, /takeover/],
  ["unix listening", { call: "startUnixServer", options: { backlog: "5" } }, type, /backlog/],
  ["unix listening", { call: "startUnixServer", options: { ssl: true } }, type, /ssl/],
  ["unix listening", { call: "startUnixServer", options: { cleanupSocket: 1 } }, type, /cleanupSocket/],
  ["unix listening", { call: "startUnixServer", options: { limit: -1 } }, range, /limit/],
  ["unix listening", { call: "startUnixServer", aborted: true }, undefined, /abort/i],
  ["unix listening", { call: "badCallback" }, type, /clientConnectedCb/],
  ["unix listening", { call: "badServerFactory" }, type, /protocolFactory/],
  ["unix listening", { call: "closedUnstarted" }, undefined, /closed/],
];

interface Told {
  readonly error: Outcome | null;
  readonly closed: boolean;
  readonly leftAlone: boolean;
}

describe("a descriptor as sock", needs(needsLinux, python), () => {
  let told: Promise<Told[]> | undefined;

  /** All cases in one process: each has its own descriptor. */
  async function runAll(): Promise<Told[]> {
    const directory = temporaryDirectory();
    await using far = await bareServer(`${directory}/far`);
    const sockets = rows.map(([kind], index) => ({ kind, path: kind === "unix connected" ? far.path : `${directory}/${index}` }));
    const command = scriptCommand("unix/adopt-child", JSON.stringify(rows.map(([, adopted]) => adopted)));
    await using peer = new Child(pythonCommand("launch", JSON.stringify(sockets), ...command));
    const results: Told[] = [];
    while (results.length < rows.length) results.push(await peer.next<Told>());
    await peer.ended;
    for (let index = 0; index < rows.length; index += 1) rmSync(`${directory}/${index}`, { force: true });
    return results;
  }

  for (const [index, [kind, adopted, code, message]] of rows.entries()) {
    const what = `(${kind}) in ${JSON.stringify(adopted)}`;
    const outcome = async (): Promise<Told> => (await (told ??= runAll()))[index] as Told;

    it(`${what} is refused with ${code ?? "the reason"}`, async () => {
      const { error } = await outcome();
      assert.match(error?.message ?? "no error", message);
      if (code !== undefined) assert.equal(error?.code, code);
    });

    if (kind === "file" || kind === "pipe") {
      it(`${what} is left open`, async () => assert.equal((await outcome()).closed, false));
      continue;
    }
    const isStream = kind.startsWith("unix") || kind.startsWith("tcp");
    it(`${what} is closed, and once`, isStream ? {} : cannot("descriptors-of-others-closed", "deno"), async () => {
      const { closed, leftAlone } = await outcome();
      assert.deepEqual({ closed, leftAlone }, { closed: true, leftAlone: true });
    });
  }
});
