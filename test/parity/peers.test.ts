import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError, IncompleteReadError } from "asyncio-streams";
import { MUCH } from "../support/much.js";
import { needs } from "../support/needs.js";
import { kinds } from "../support/pairs.js";
import { findPython } from "../support/python.js";
import { startPythonClient, startPythonServer } from "../support/python-peers.js";
import { testFile } from "../support/repository.js";
import { until } from "../support/turns.js";
import { answer, answerAny, ask } from "./conversations.js";

const python = findPython();
const options = needs(python);
const peer = [python.binary, testFile("parity/peer.py")];
const conversations = Object.keys(ask) as (keyof typeof ask)[];

function isReset(error: unknown): boolean {
  return ["ECONNRESET", "EPIPE"].includes((error as { code: string }).code);
}

for (const { name: kind, serve } of kinds) {
  describe(`a client of ours at a CPython server over ${kind}`, () => {
    for (const conversation of conversations) {
      it(`has the conversation "${conversation}"`, options, async () => {
        await using server = await startPythonServer(peer, kind);
        const [reader, writer] = await server.connect();
        writer.write(`${conversation}\n`);
        await ask[conversation](reader, writer);
        writer.close();
        await writer.waitClosed();
      });
    }

    it("has several conversations at a time", options, async () => {
      await using server = await startPythonServer(peer, kind);
      const talks = [...conversations, ...conversations].map(async (conversation) => {
        const [reader, writer] = await server.connect();
        writer.write(`${conversation}\n`);
        await ask[conversation](reader, writer);
        writer.close();
        await writer.waitClosed();
      });
      await Promise.all(talks);
    });

    it("reads the bytes that came before the server was killed, then EOF", options, async () => {
      await using server = await startPythonServer(peer, kind);
      const [reader, writer] = await server.connect();
      writer.write("hang\n");
      assert.equal((await reader.readexactly(3)).toString(), "par");
      const reading = reader.readexactly(10);
      await Promise.all([
        assert.rejects(
          reading,
          (error) => error instanceof IncompleteReadError && error.partial.toString() === "t" && error.expected === 10,
        ),
        server.child[Symbol.asyncDispose](),
      ]);
      writer.close();
      await writer.waitClosed();
    });

    it("gets an error from drain() and waitClosed() if the server is killed while it sends", options, async () => {
      await using server = await startPythonServer(peer, kind);
      const [reader, writer] = await server.connect();
      writer.write("hang\n");
      await reader.readexactly(4);
      writer.write(MUCH);
      await Promise.all([
        assert.rejects(writer.drain(), (error) => error instanceof ConnectionLostError && isReset(error.cause)),
        assert.rejects(writer.waitClosed(), isReset),
        server.child[Symbol.asyncDispose](),
      ]);
    });
  });

  describe(`a CPython client at a server of ours over ${kind}`, () => {
    for (const conversation of conversations) {
      it(`has the conversation "${conversation}"`, options, async () => {
        const errors: unknown[] = [];
        const { server } = await serve(answer, { onClientError: (error) => errors.push(error) });
        await using client = startPythonClient(peer, server.sockets[0]!.getsockname(), conversation);
        assert.equal(await client.nextLine(), "ok");
        assert.deepEqual(await client.ended, { code: 0, signal: null });
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
      const address = server.sockets[0]!.getsockname();
      await using killed = startPythonClient(peer, address, "hang");
      await until(() => begun);
      await killed[Symbol.asyncDispose]();
      await until(() => errors.length > 0);
      assert.ok(errors[0] instanceof IncompleteReadError, String(errors[0]));
      assert.equal(errors[0].partial.toString(), "t");
      await using next = startPythonClient(peer, address, "lines");
      assert.equal(await next.nextLine(), "ok");
      assert.deepEqual(await next.ended, { code: 0, signal: null });
      server.close();
      await server.waitClosed();
      assert.equal(errors.length, 1);
    });
  });
}
