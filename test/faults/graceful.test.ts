/** The graceful end of a process that serves: nothing half-answered, nobody waiting, and no handle that keeps it alive. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import type { ShutdownResult } from "asyncio-streams";
import { scriptCommand } from "../support/child.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { type Connection, type Serving, startServing } from "./serving.js";

const start = (way: "sigterm" | "using" | "stuck", path: string): Promise<Serving> =>
  startServing(scriptCommand("faults/ending-child", way, path));

/** Asks again and again until the connection ends; returns the answers, each of them whole, or what is wrong with them. */
async function askUntilEnd([reader, writer]: Connection, onAnswer: () => void): Promise<string[]> {
  const answers: string[] = [];
  for (let number = 0; ; number += 1) {
    writer.write(`${number}\n`);
    // A question that the server had not read when it closed makes its end a reset.
    const line = (await reader.readline().catch(() => Buffer.alloc(0))).toString();
    if (line === "") return answers;
    answers.push(line);
    onAnswer();
  }
}

async function ask([reader, writer]: Connection): Promise<string> {
  writer.write("it\n");
  return (await reader.readline()).toString();
}

for (const [name, newPath] of [
  ["Unix", () => socketPath()],
  ["TCP", () => ""],
] as const) {
  describe(`SIGTERM under load over ${name}`, () => {
    it("lets the process end: every answer is complete, no client is cut off, no file is left", async () => {
      const path = newPath();
      await using serving = await start("sigterm", path);
      let answered = 0;
      const clients = await Promise.all(Array.from({ length: 30 }, () => serving.connect()));
      const asking = clients.map((client) => askUntilEnd(client, () => (answered += 1)));
      await until(() => answered > 200);
      process.kill(serving.child.process.pid as number, "SIGTERM");
      for (const answers of await Promise.all(asking)) {
        assert.deepEqual(
          answers,
          answers.map((_, number) => `${number} is answered\n`),
        );
      }
      const { finished, aborted } = await serving.child.next<ShutdownResult>();
      assert.deepEqual([finished, aborted], [30, 0]);
      assert.deepEqual(await serving.child.ended, { code: 0, signal: null });
      if (path !== "") assert.deepEqual(readdirSync(dirname(path)), []);
    });

    it("lets the process end when idle clients stay connected", async () => {
      await using serving = await start("sigterm", newPath());
      const clients = [await serving.connect(), await serving.connect()];
      for (const client of clients) assert.equal(await ask(client), "it is answered\n");
      process.kill(serving.child.process.pid as number, "SIGTERM");
      assert.deepEqual(await serving.child.next(), { finished: 2, aborted: 0 });
      assert.deepEqual(await serving.child.ended, { code: 0, signal: null });
      for (const [reader] of clients) assert.equal((await reader.read()).length, 0);
    });
  });

  describe(`a callback that never ends over ${name}`, () => {
    it("is cut off at the deadline, and does not keep the process alive", async () => {
      await using serving = await start("stuck", newPath());
      const clients = [await serving.connect(), await serving.connect()];
      for (const client of clients) assert.equal(await ask(client), "it is answered\n");
      await serving.connect();
      process.kill(serving.child.process.pid as number, "SIGTERM");
      const { aborted } = await serving.child.next<ShutdownResult>();
      assert.equal(aborted, 2);
      assert.deepEqual(await serving.child.ended, { code: 0, signal: null });
    });
  });

  describe(`the end of an await using block of a server over ${name}`, () => {
    it("leaves no handle: the process ends by itself, though a client stays connected", async () => {
      const path = newPath();
      await using serving = await start("using", path);
      const client = await serving.connect();
      await serving.connect();
      assert.equal(await ask(client), "it is answered\n");
      assert.deepEqual(await serving.child.ended, { code: 0, signal: null });
      assert.equal((await client[0].read()).length, 0);
      if (path !== "") assert.deepEqual(readdirSync(dirname(path)), []);
    });
  });
}
