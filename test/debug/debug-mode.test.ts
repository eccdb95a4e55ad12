/** What `ASYNCIO_STREAMS_DEBUG=1` reports, and that it costs nothing when it is off. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Child, scriptCommand } from "../support/child.js";
import { needsLinux } from "../support/needs.js";
import { temporaryDirectory } from "../support/temporary.js";

interface Warning {
  readonly name: string;
  readonly message: string;
  readonly code: string;
}

/** Runs a scenario of `debug-child.ts`; returns its result, and the warnings with this code. */
async function run(scenario: string, code: string, debug: string = "1"): Promise<{ result: unknown; reported: Warning[] }> {
  const env: NodeJS.ProcessEnv = { ...process.env, ASYNCIO_STREAMS_DEBUG: debug };
  await using child = new Child(scriptCommand("debug/debug-child", scenario, temporaryDirectory()), {
    env,
    stdio: ["pipe", "pipe", "ignore"],
  });
  const { result, warnings } = await child.next<{ result: unknown; warnings: Warning[] }>();
  await child.ended;
  return { result, reported: warnings.filter((warning) => warning.code === code) };
}

const UNCLOSED = "ASYNCIO_STREAMS_UNCLOSED";
const SLOW = "ASYNCIO_STREAMS_SLOW_CALLBACK";
const UNDRAINED = "ASYNCIO_STREAMS_UNDRAINED_WRITE";

describe("debug mode", () => {
  for (const [scenario, result, message] of [
    ["drop a client", true, /^the connection to "\/.*\/debug\.sock" was not closed .* It was opened here:\n\s+at dropClient /s],
    ["drop a half-open client", true, /^the connection to .* It was opened here:\n\s+at dropClient /s],
    ["drop a client made by hand", true, /^the connection to .* It was opened here:\n\s+at (async )?dropHandmade /s],
    ["drop a client after startTls", true, /^the connection to .* It was opened here:\n\s+at dropTls /s],
    ["drop a client of a server", true, /^a client's connection to ".*\/debug\.sock" .* The server was started here:\n.*debug-child/s],
    ["drop a server", "ENOENT", /^the server on ".*\/debug\.sock" was not closed .* The server was started here:\n.*debug-child/s],
    ["drop a server of descriptors", "ENOENT", /^the server on ".*\/debug\.sock" was not closed .*:\n.*debug-child/s],
    ["drop a server of protocols", "ECONNREFUSED", /^the server on 127\.0\.0\.1:\d+ was not closed .*:\n.*debug-child/s],
    ["drop a process", "ended", /^the process \d+ was not closed .* It was started here:\n.*debug-child/s],
  ] as const) {
    it(`closes and reports what the program has dropped: ${scenario}`, scenario.endsWith("descriptors") ? needsLinux : {}, async () => {
      const { result: actual, reported } = await run(scenario, UNCLOSED);
      assert.equal(actual, result);
      assert.equal(reported.length, 1);
      assert.equal(reported[0]?.name, "ResourceWarning");
      assert.match(reported[0]?.message ?? "", message);
      assert.doesNotMatch(reported[0]?.message ?? "", /\/(dist|src)\/(open|serve|net|streams|process|unix)/); // only frames of the program
    });
  }

  it("leaves connections that the program holds by one part, or waits for", async () => {
    const { result, reported } = await run("keep what is in use", UNCLOSED);
    assert.equal(result, 11);
    assert.deepEqual(reported, []);
  });

  it("leaves servers and processes that a wait, a signal or a stream holds", async () => {
    const { result, reported } = await run("keep servers and processes in use", UNCLOSED);
    assert.deepEqual(result, [1, 0, -9]);
    assert.deepEqual(reported, []);
  });

  for (const [scenario, message] of [
    ["block in a callback", /^serveSlowly\(\) blocked the event loop for \d+ ms\. The server was started here:\n.*debug-child/s],
    ["block after a read", /^serveLater\(\).* blocked the event loop for \d+ ms\. The server was started here:\n.*debug-child/s],
    [
      "block in a protocol",
      /^SlowProtocol\.dataReceived\(\) blocked the event loop for \d+ ms\. The server was started here:\n.*debug-child/s,
    ],
    ["block after a drain", /code that uses the connection to ".*\/debug\.sock".* blocked .* It was opened here:\n.*debug-child/s],
    ["block in a client", /code that uses the connection to ".*\/debug\.sock".* blocked .* It was opened here:\n.*debug-child/s],
  ] as const) {
    it(`names the code that blocks the event loop: ${scenario}`, async () => {
      const { reported } = await run(scenario, SLOW);
      assert.ok(reported.length > 0);
      assert.ok(
        reported.some((warning) => message.test(warning.message)),
        JSON.stringify(reported),
      );
    });
  }

  it("names the write() that is not followed by drain()", async () => {
    const { reported } = await run("do not drain", UNDRAINED);
    assert.equal(reported.length, 1);
    assert.match(reported[0]?.message ?? "", /^a write\(\) exceeded the high-water mark.*\n\s+at writeTooMuch /);
  });

  it("does not report a write() that is followed by another call for the written data", async () => {
    const { reported } = await run("drain", UNDRAINED);
    assert.deepEqual(reported, []);
  });

  for (const off of ["", "0"]) {
    it(`costs nothing if the variable is ${JSON.stringify(off)}: nothing is registered, and no stack is captured`, async () => {
      const { result, reported } = await run("count the cost", "", off);
      assert.deepEqual(result, { registered: 0, captured: 0 });
      assert.deepEqual(reported, []);
    });
  }
});
