import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import {
  ConnectionLostError,
  IncompleteReadError,
  openConnection,
  openUnixConnection,
  type SocketAddress,
  type StreamReader,
  type StreamWriter,
} from "asyncio-streams";
import { needs } from "../support/needs.js";
import { kinds } from "../support/pairs.js";
import { findPython } from "../support/python.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { answer, answerAny, ask } from "./conversations.js";
import { PeerProcess } from "./peer-process.js";

const OLDEST_MINOR = 8;
const python = findPython(OLDEST_MINOR);
const options = needs(python);
const conversations = Object.keys(ask) as (keyof typeof ask)[];

interface PythonServer extends AsyncDisposable {
  readonly process: PeerProcess;
  readonly connect: () => Promise<[StreamReader, StreamWriter]>;
}

/** A server in CPython; its socket's file is removed, too, which a killed one leaves. */
async function pythonServer(kind: string): Promise<PythonServer> {
  const path = kind === "Unix" ? socketPath() : null;
  const process = new PeerProcess(python, "serve", ...(path === null ? ["tcp"] : ["unix", path]));
  const [, port] = await process.firstLine();
  return {
    process,
    connect: () => (path === null ? openConnection("127.0.0.1", Number(port)) : openUnixConnection(path)),
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      if (path !== null) rmSync(path, { force: true });
    },
  };
}

/** A client in CPython. */
function pythonClient(address: SocketAddress | undefined, conversation: string): PeerProcess {
  const where = typeof address === "string" ? ["unix", address] : ["tcp", String(address?.[1])];
  return new PeerProcess(python, "connect", ...where, conversation);
}

function isReset(error: unknown): boolean {
  return ["ECONNRESET", "EPIPE"].includes((error as { code: string }).code);
}

for (const { name: kind, serve } of kinds) {
  describe(`a client of ours at a CPython server over ${kind}`, () => {
    for (const conversation of conversations) {
      it(`has the conversation "${conversation}"`, options, async () => {
        await using server = await pythonServer(kind);
        const [reader, writer] = await server.connect();
        writer.write(`${conversation}\n`);
        await ask[conversation](reader, writer);
        writer.close();
        await writer.waitClosed();
      });
    }

    it("has several conversations at a time", options, async () => {
      await using server = await pythonServer(kind);
      const talks = [...conversations, ...conversations].map(async (conversation) => {
        const [reader, writer] = await server.connect();
        writer.write(`${conversation}\n`);
        await ask[conversation](reader, writer);
        writer.close();
        await writer.waitClosed();
      });
      await Promise.all(talks);
    });

    it("reads what came before the server was killed, and then its end", options, async () => {
      await using server = await pythonServer(kind);
      const [reader, writer] = await server.connect();
      writer.write("hang\n");
      assert.equal((await reader.readexactly(3)).toString(), "par");
      const reading = reader.readexactly(10);
      await Promise.all([
        assert.rejects(
          reading,
          (error) => error instanceof IncompleteReadError && error.partial.toString() === "t" && error.expected === 10,
        ),
        server.process.kill(),
      ]);
      writer.close();
      await writer.waitClosed();
    });

    it("hears from drain() and waitClosed() that the server was killed while it sent", options, async () => {
      await using server = await pythonServer(kind);
      const [reader, writer] = await server.connect();
      writer.write("hang\n");
      await reader.readexactly(4);
      writer.write(Buffer.alloc(16 << 20));
      await Promise.all([
        assert.rejects(writer.drain(), (error) => error instanceof ConnectionLostError && isReset(error.cause)),
        assert.rejects(writer.waitClosed(), isReset),
        server.process.kill(),
      ]);
    });
  });

  describe(`a CPython client at a server of ours over ${kind}`, () => {
    for (const conversation of conversations) {
      it(`has the conversation "${conversation}"`, options, async () => {
        const errors: unknown[] = [];
        const { server } = await serve(answer, { onClientError: (error) => errors.push(error) });
        await using client = pythonClient(server.sockets[0]?.getsockname(), conversation);
        assert.deepEqual(await client.end(), { code: 0, output: "ok" });
        server.close();
        await server.waitClosed();
        assert.deepEqual(errors, []);
      });
    }

    it("leaves the beginning of a message when it is killed, and the server serves the next", options, async () => {
      const errors: unknown[] = [];
      let begun = false;
      const { server } = await serve(
        (reader, writer) =>
          answerAny(reader, writer, () => {
            begun = true;
          }),
        { onClientError: (error) => errors.push(error) },
      );
      const address = server.sockets[0]?.getsockname();
      await using killed = pythonClient(address, "hang");
      await until(() => begun);
      await killed.kill();
      await until(() => errors.length > 0);
      assert.ok(errors[0] instanceof IncompleteReadError, String(errors[0]));
      assert.equal(errors[0].partial.toString(), "t");
      await using next = pythonClient(address, "lines");
      assert.deepEqual(await next.end(), { code: 0, output: "ok" });
      server.close();
      await server.waitClosed();
      assert.equal(errors.length, 1);
    });
  });
}
