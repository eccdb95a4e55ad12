/**
 * Connections on `net.Socket`, on a runtime that has libuv's handles: the suites about single connections run once more, with
 * `ASYNCIO_STREAMS_PLAIN_SOCKETS`. Bun and Deno have no such handles, and use `net.Socket` in every test.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { nodeInternals } from "#src/transports/stream-handle.js";
import { runtime } from "../support/runtime.js";

const SUITES = [
  "conformance/streams",
  "faults/liveness",
  "faults/loss-reset",
  "faults/loss-writing",
  "net/async-context",
  "net/max-connections",
  "proxy/server",
  "security/detached",
  "security/detached-allocation",
  "security/detached-unread",
  "security/detached-writes",
  "transports/socket-order",
  "transports/socket-reading",
  "transports/socket-throwing",
  "transports/socket-writing",
  "tls/conformance-tcp-start-tls",
  "tls/conformance-unix-ssl",
  "tls/endings",
  "tls/flow-control",
];

/** A suite that hangs is ended after this time, and its output shows where. They take seconds, and a minute on a very busy machine. */
const TIME_LIMIT_MS = 180_000;

const fileOf = (suite: string): string => fileURLToPath(new URL(`../${suite}.test.js`, import.meta.url));

describe("connections on libuv's handles", () => {
  it("are made on Node, and nowhere else", () => {
    assert.equal(nodeInternals() !== null, runtime === "node");
  });
});

describe("connections on net.Socket", () => {
  for (const suite of runtime === "node" ? SUITES : []) {
    it(`behave the same: ${suite}`, async () => {
      // NODE_TEST_CONTEXT would make the child speak the runner's own language.
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const run = promisify(execFile)(process.execPath, ["--test-reporter=spec", fileOf(suite)], {
        env: { ...env, ASYNCIO_STREAMS_PLAIN_SOCKETS: "1" },
        timeout: TIME_LIMIT_MS,
      });
      await run.catch((error: Error & { stdout: string; stderr: string }) =>
        assert.fail(`${error.message}\n${error.stdout}${error.stderr}`),
      );
    });
  }
});
