/** Servers under trouble: closed while clients connect, callbacks that never end, and no descriptors left. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import { abortAll } from "../support/abort-all.js";
import { echo } from "../support/echo.js";
import { kinds } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { isSettled, turns, until } from "../support/turns.js";

type Pair = [StreamReader, StreamWriter];

const hangUp = (pairs: readonly Pair[]): Promise<void> => abortAll(pairs.map(([, writer]) => writer));

for (const kind of kinds) {
  describe(`a server in trouble over ${kind.name}`, () => {
    for (const turnsBefore of [0, 1, 3]) {
      it(`closed ${turnsBefore} turns after clients began to connect, leaves none of them hanging`, async () => {
        const { server, connect } = await kind.serve(echo);
        const connecting = Promise.allSettled(
          Array.from({ length: 20 }, async (): Promise<string> => {
            const [reader, writer] = await connect();
            writer.write("hello\n");
            try {
              return (await reader.readline()).toString();
            } finally {
              await hangUp([[reader, writer]]);
            }
          }),
        );
        await turns(turnsBefore);
        server.close();
        for (const result of await connecting) {
          if (result.status === "fulfilled") assert.match(result.value, /^(hello\n)?$/);
          else assert.match((result.reason as NodeJS.ErrnoException).code ?? "", /^(ECONNREFUSED|ECONNRESET|ENOENT|EPIPE)$/);
        }
        await server.waitClosed();
      });
    }

    it("a callback that never ends keeps neither the server nor its other clients from working", async () => {
      let stuck = 0;
      const { server, connect } = await kind.serve(async (reader, writer) => {
        const line = await reader.readline();
        if (line.toString() === "stuck\n") {
          stuck += 1;
          await new Promise(() => {});
        }
        writer.write(line);
        writer.close();
      });
      const [stuckPair, finePair] = [await connect(), await connect()];
      stuckPair[1].write("stuck\n");
      await until(() => stuck === 1);
      finePair[1].write("fine\n");
      assert.equal((await finePair[0].read()).toString(), "fine\n");
      server.close();
      const closed = server.waitClosed();
      assert.equal(await isSettled(closed), false);
      server.abortClients();
      await closed;
      await hangUp([stuckPair, finePair]);
    });

    it("callbacks that fail among many harm only their own clients", async () => {
      const errors: unknown[] = [];
      const { server, connect } = await kind.serve(
        async (reader, writer) => {
          const line = (await reader.readline()).toString();
          const number = Number(line);
          if (number % 3 === 0) throw new Error(`on purpose ${number}`);
          writer.write(line);
          writer.close();
        },
        { onClientError: (error) => errors.push(error) },
      );
      const answers = await Promise.all(
        Array.from({ length: 30 }, async (_, number) => {
          const pair = await connect();
          pair[1].write(`${number}\n`);
          const answer = (await pair[0].read().catch(() => Buffer.alloc(0))).toString();
          await hangUp([pair]);
          return answer;
        }),
      );
      assert.deepEqual(
        answers,
        Array.from({ length: 30 }, (_, number) => (number % 3 === 0 ? "" : `${number}\n`)),
      );
      assert.equal(errors.length, 10);
      assert.equal(server.isServing(), true);
      await server.shutdown();
    });

    it("a client that connects and goes at once is no error", async () => {
      const errors: unknown[] = [];
      const { server, connect } = await kind.serve(
        async (reader, writer) => {
          await reader.read().catch(() => {});
          writer.close();
        },
        { onClientError: (error) => errors.push(error) },
      );
      await hangUp(await Promise.all(Array.from({ length: 20 }, () => connect())));
      await turns(20);
      assert.equal(server.isServing(), true);
      assert.deepEqual(errors, []);
      await server.shutdown();
    });
  });
}

describe("a Unix server in trouble", () => {
  it("closed while it starts leaves no file, however far it had come", async () => {
    const path = socketPath();
    for (const turnsBefore of [0, 1, 2, 4]) {
      const controller = new AbortController();
      const starting = startUnixServer(() => {}, path, { signal: controller.signal });
      const settled = starting.then(
        (server) => server.waitClosed(),
        (error: Error) => assert.equal(error.name, "AbortError"),
      );
      await turns(turnsBefore);
      controller.abort();
      await settled;
      assert.deepEqual(readdirSync(dirname(path)), []);
    }
  });

  it("can be started and closed again and again on one path", async () => {
    const path = socketPath();
    for (let round = 0; round < 20; round += 1) {
      const server = await startUnixServer((_reader, writer) => writer.close(), path);
      const [reader, writer] = await openUnixConnection(path);
      assert.equal((await reader.read().catch(() => Buffer.alloc(0))).length, 0);
      await hangUp([[reader, writer]]);
      server.close();
      await server.waitClosed();
    }
    assert.deepEqual(readdirSync(dirname(path)), []);
  });
});
