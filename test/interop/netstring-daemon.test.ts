/** A client in Python, at the daemon of `examples/netstring-daemon.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { StreamReader, startUnixServer } from "asyncio-streams";
import { counterDaemon } from "../../examples/netstring-daemon.js";
import { exampleCommand, startExample } from "../examples/run-example.js";
import { testFile } from "../support/repository.js";
import { socketPath } from "../support/temporary.js";
import { findProgram } from "./program.js";

const python = findProgram("python3", "python3");

/** Runs the client; returns the lines that it prints. */
async function talk(path: string, scenario: string): Promise<string[]> {
  const child = spawn(python, [testFile("interop/netstring_client.py"), path, scenario], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  const output = await StreamReader.from(child.stdout).read();
  assert.deepEqual(await closed, [0, null]);
  return output.toString().trimEnd().split("\n");
}

describe("a netstring daemon with a client in Python", () => {
  async function serve(scenario: string): Promise<{ lines: string[]; errors: unknown[] }> {
    const path = socketPath("counter.sock");
    const errors: unknown[] = [];
    const server = await startUnixServer(counterDaemon(), path, {
      onClientError: (error) => errors.push((error as { code?: string }).code),
    });
    const lines = await talk(path, scenario);
    await server.shutdown();
    return { lines, errors };
  }

  it("answers each request", async () => {
    const { lines } = await serve("one by one");
    assert.deepEqual(lines, ["3", "4", "4", "0", "no command eat", "7"]);
  });

  it("answers 5,000 requests that come together, in order, and then ends", async () => {
    const { lines } = await serve("pipelined");
    assert.deepEqual(lines, [...Array.from({ length: 5_000 }, (_, index) => String(index + 1)), "end"]);
  });

  it("reads a frame that comes byte by byte", async () => {
    assert.deepEqual((await serve("byte by byte")).lines, ["9"]);
  });

  for (const [scenario, code] of [
    ["too large", "ERR_FRAME_TOO_LARGE"],
    ["malformed", "ERR_INVALID_FRAME"],
  ] as const) {
    it(`ends the connection at a frame that is ${scenario}`, async () => {
      const { lines, errors } = await serve(scenario);
      assert.deepEqual(lines, ["0", "end"]);
      assert.deepEqual(errors, [code]);
    });
  }

  it("is a program that prints what its header says, and leaves no file", async () => {
    const path = socketPath("counter.sock");
    const example = startExample([...exampleCommand("netstring-daemon.js"), path], path);
    try {
      assert.equal(await example.nextLine(), `listens on ${path}`);
      assert.deepEqual(await talk(path, "byte by byte"), ["9"]);
    } finally {
      process.kill(example.process.pid as number, "SIGTERM");
    }
    assert.equal(await example.ended(), "");
    assert.equal(existsSync(path), false);
  });
});
