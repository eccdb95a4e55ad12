/** The graceful end of a process that serves: nothing half-answered, nobody waiting, and no handle that keeps it alive. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import {
  openConnection,
  openUnixConnection,
  type ShutdownResult,
  type SocketAddress,
  type StreamReader,
  type StreamWriter,
} from "asyncio-streams";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { Peer, scriptCommand } from "../unix/peer.js";

type Pair = [StreamReader, StreamWriter];

interface Serving extends AsyncDisposable {
  readonly peer: Peer;
  readonly connect: () => Promise<Pair>;
}

async function startChild(way: "sigterm" | "using" | "stuck", path: string): Promise<Serving> {
  const peer = new Peer(scriptCommand("../faults/ending-child", way, path));
  const address = await peer.next<SocketAddress>();
  const writers: StreamWriter[] = [];
  return {
    peer,
    async connect() {
      const pair = await (typeof address === "string" ? openUnixConnection(address) : openConnection(...(address as [string, number])));
      writers.push(pair[1]);
      return pair;
    },
    async [Symbol.asyncDispose]() {
      for (const writer of writers) writer.abort();
      await Promise.all(writers.map((writer) => writer.waitClosed().catch(() => {})));
      await peer[Symbol.asyncDispose]();
    },
  };
}

/** Asks again and again until the connection ends; returns the answers, each of them whole, or what is wrong with them. */
async function askUntilEnd([reader, writer]: Pair, onAnswer: () => void): Promise<string[]> {
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

async function ask([reader, writer]: Pair): Promise<string> {
  writer.write("it\n");
  return (await reader.readline()).toString();
}

for (const [name, newPath] of [
  ["Unix", () => socketPath()],
  ["TCP", () => ""],
] as const) {
  describe(`SIGTERM under load over ${name}`, () => {
    it("ends the process by itself: every answer is whole, nobody is cut off, no file is left", async () => {
      const path = newPath();
      await using child = await startChild("sigterm", path);
      let answered = 0;
      const clients = await Promise.all(Array.from({ length: 30 }, () => child.connect()));
      const asking = clients.map((client) => askUntilEnd(client, () => (answered += 1)));
      await until(() => answered > 200);
      process.kill(child.peer.process.pid as number, "SIGTERM");
      for (const answers of await Promise.all(asking)) {
        assert.deepEqual(
          answers,
          answers.map((_, number) => `${number} is answered\n`),
        );
      }
      const { finished, aborted } = await child.peer.next<ShutdownResult>();
      assert.deepEqual([finished, aborted], [30, 0]);
      assert.deepEqual(await child.peer.ended, { code: 0, signal: null });
      if (path !== "") assert.deepEqual(readdirSync(dirname(path)), []);
    });

    it("with clients that are idle and stay connected, ends the process by itself, too", async () => {
      await using child = await startChild("sigterm", newPath());
      const clients = [await child.connect(), await child.connect()];
      for (const client of clients) assert.equal(await ask(client), "it is answered\n");
      process.kill(child.peer.process.pid as number, "SIGTERM");
      assert.deepEqual(await child.peer.next(), { finished: 2, aborted: 0 });
      assert.deepEqual(await child.peer.ended, { code: 0, signal: null });
      for (const [reader] of clients) assert.equal((await reader.read()).length, 0);
    });
  });

  describe(`a callback that never ends over ${name}`, () => {
    it("is cut off at the deadline, and does not keep the process alive", async () => {
      await using child = await startChild("stuck", newPath());
      const clients = [await child.connect(), await child.connect()];
      for (const client of clients) assert.equal(await ask(client), "it is answered\n");
      await child.connect();
      process.kill(child.peer.process.pid as number, "SIGTERM");
      const { aborted } = await child.peer.next<ShutdownResult>();
      assert.equal(aborted, 2);
      assert.deepEqual(await child.peer.ended, { code: 0, signal: null });
    });
  });

  describe(`the end of an await using block of a server over ${name}`, () => {
    it("leaves no handle: the process ends by itself, though a client stays connected", async () => {
      const path = newPath();
      await using child = await startChild("using", path);
      const client = await child.connect();
      await child.connect();
      assert.equal(await ask(client), "it is answered\n");
      assert.deepEqual(await child.peer.ended, { code: 0, signal: null });
      assert.equal((await client[0].read()).length, 0);
      if (path !== "") assert.deepEqual(readdirSync(dirname(path)), []);
    });
  });
}
