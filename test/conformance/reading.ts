/** The reading calls over real sockets. The cases recorded from CPython (`parity/`) check them call by call. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IncompleteReadError, LimitOverrunError, LineTooLongError } from "asyncio-streams";
import { openPair } from "../support/pairs.js";
import { payload } from "../support/payload.js";
import { turns, until } from "../support/turns.js";
import type { Part } from "./traits.js";

export const checkReading: Part = (kind) => {
  describe(`StreamReader over ${kind.name}`, () => {
    it("read(n) gives the bytes that have come, at most n", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.write("abcdef");
      assert.equal((await pair.client.reader.read(4)).toString(), "abcd");
      assert.equal((await pair.client.reader.read(4)).toString(), "ef");
    });

    it("read(n) waits for the first byte", async () => {
      await using pair = await openPair(kind);
      const waiting = pair.client.reader.read(100);
      await turns(3);
      pair.peer.writer.write("x");
      assert.equal((await waiting).toString(), "x");
    });

    it("read() collects everything up to EOF", async () => {
      await using pair = await openPair(kind);
      const everything = pair.client.reader.read();
      for (let part = 0; part < 20; part += 1) {
        pair.peer.writer.write(payload(10_000, part * 10_000));
        await pair.peer.writer.drain();
      }
      pair.peer.writer.close();
      assert.ok((await everything).equals(payload(200_000)));
      assert.equal(pair.client.reader.atEof(), true);
    });

    it("readline() gives each line with its newline, and the last without", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.write("first\n\nthird");
      pair.peer.writer.close();
      const { reader } = pair.client;
      const lines = [await reader.readline(), await reader.readline(), await reader.readline(), await reader.readline()];
      assert.deepEqual(lines.map(String), ["first\n", "\n", "third", ""]);
    });

    it("iterates over lines, and the bytes after a break can still be read", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.write("a\nb\nc\nd");
      pair.peer.writer.close();
      for await (const line of pair.client.reader) if (line.toString() === "b\n") break;
      const rest: string[] = [];
      for await (const line of pair.client.reader) rest.push(line.toString());
      assert.deepEqual(rest, ["c\n", "d"]);
    });

    it("readexactly(n) reads far more than the limit", async () => {
      await using pair = await openPair(kind, { client: { limit: 1_000 } });
      const reading = pair.client.reader.readexactly(1_000_000);
      pair.peer.writer.write(payload(1_000_000));
      assert.ok((await reading).equals(payload(1_000_000)));
    });

    it("readexactly(n) throws IncompleteReadError at EOF, and the buffer is empty", async () => {
      await using pair = await openPair(kind);
      pair.peer.writer.write("abc");
      pair.peer.writer.close();
      await assert.rejects(pair.client.reader.readexactly(10), (error: IncompleteReadError) => {
        assert.ok(error instanceof IncompleteReadError);
        assert.deepEqual([error.code, error.partial.toString(), error.expected], ["ERR_INCOMPLETE_READ", "abc", 10]);
        return true;
      });
      assert.equal(pair.client.reader.atEof(), true);
    });

    it("readuntil() finds a separator that comes in two pieces", async () => {
      await using pair = await openPair(kind);
      const reading = pair.client.reader.readuntil("\r\n\r\n");
      for (const piece of ["head: 1\r", "\n\r", "\nbody"]) {
        pair.peer.writer.write(piece);
        await pair.peer.writer.drain();
        await turns(3);
      }
      assert.equal((await reading).toString(), "head: 1\r\n\r\n");
      assert.equal((await pair.client.reader.readexactly(4)).toString(), "body");
    });

    it("readuntil() over the limit throws LimitOverrunError and keeps the data", async () => {
      await using pair = await openPair(kind, { client: { limit: 8 } });
      pair.peer.writer.write("0123456789\nrest\n");
      await assert.rejects(pair.client.reader.readuntil("\n"), (error: LimitOverrunError) => {
        assert.ok(error instanceof LimitOverrunError);
        assert.deepEqual([error.code, error.consumed], ["ERR_LIMIT_OVERRUN", 10]);
        return true;
      });
      assert.equal((await pair.client.reader.readexactly(11)).toString(), "0123456789\n");
      assert.equal((await pair.client.reader.readline()).toString(), "rest\n");
    });

    it("readline() over the limit throws LineTooLongError and goes on with the next line", async () => {
      await using pair = await openPair(kind, { client: { limit: 8 } });
      pair.peer.writer.write("0123456789\nrest\n");
      await assert.rejects(pair.client.reader.readline(), (error: LineTooLongError) => {
        assert.ok(error instanceof LineTooLongError && error instanceof RangeError);
        assert.deepEqual([error.code, error.consumed], ["ERR_LINE_TOO_LONG", 11]);
        return true;
      });
      assert.equal((await pair.client.reader.readline()).toString(), "rest\n");
    });

    it("the limit of the server's readers is the server's option", async () => {
      await using pair = await openPair(kind, { server: { limit: 4 } });
      pair.client.writer.write("12345\n1234\n");
      await assert.rejects(pair.peer.reader.readline(), { code: "ERR_LINE_TOO_LONG" });
      assert.equal((await pair.peer.reader.readline()).toString(), "1234\n");
    });

    it("an aborted read rejects with the reason and consumes nothing", async () => {
      await using pair = await openPair(kind);
      const { reader } = pair.client;
      for (const read of [
        (signal: AbortSignal) => reader.read(-1, { signal }),
        (signal: AbortSignal) => reader.readline({ signal }),
        (signal: AbortSignal) => reader.readexactly(1_000, { signal }),
        (signal: AbortSignal) => reader.readuntil("\n", { signal }),
      ]) {
        const controller = new AbortController();
        const waiting = read(controller.signal);
        pair.peer.writer.write("kept");
        await turns(5);
        const reason = new Error("enough");
        controller.abort(reason);
        await assert.rejects(waiting, (error) => error === reason);
        assert.equal((await reader.readexactly(4)).toString(), "kept");
      }
    });

    it("pauses the transport at twice the limit, and resumes it when enough is read", async () => {
      await using pair = await openPair(kind, { client: { limit: 1_000 } });
      const { reader, writer } = pair.client;
      pair.peer.writer.write(payload(500_000));
      await until(() => !writer.transport.isReading());
      const start = await reader.readexactly(1_000);
      assert.ok((await reader.readexactly(499_000)).equals(payload(499_000, 1_000)));
      assert.ok(start.equals(payload(1_000)));
      assert.equal(writer.transport.isReading(), true);
    });
  });
};
