/** `examples/relay.ts`: what it prints, and how it is run. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { describe, it } from "node:test";
import { openUnixConnection, startUnixServer } from "asyncio-streams";
import { transcribe } from "../../examples/relay.js";
import { socketPath } from "../support/temporary.js";
import { exampleCommand, startExample } from "./run-example.js";

describe("transcribe()", () => {
  it("shows text line by line, with the ends of the lines", () => {
    assert.deepEqual(transcribe(Buffer.from("EHLO me\r\nMAIL\nno\tend"), 0), ["EHLO me\\r\\n", "MAIL\\n", "no\tend"]);
  });

  it("shows letters of every language", () => assert.deepEqual(transcribe(Buffer.from("grün 日本 🙂"), 0), ["grün 日本 🙂"]));

  it("shows anything else in rows of 16 bytes, counted from the connection's first", () => {
    const bytes = Buffer.from([0, ...Buffer.from("fifteen letters"), 0xff]);
    assert.deepEqual(transcribe(bytes, 0x1f00), [
      "00001f00  00 66 69 66 74 65 65 6e 20 6c 65 74 74 65 72 73  .fifteen letters",
      "00001f10  ff                                               .",
    ]);
  });

  for (const [what, bytes] of [
    ["escape sequences for the terminal", Buffer.from("\x1b[2J")],
    ["text that is not UTF-8", Buffer.from("grün", "latin1")],
    ["marks that turn the direction of writing", Buffer.from("\u202e")],
  ] as const) {
    it(`does not show ${what} as text`, () => assert.match(transcribe(bytes, 0)[0] ?? "", /^00000000 {2}[0-9a-f]{2} /));
  }
});

describe("the relay as a program", () => {
  it("prints both directions of each connection with time and number, and leaves no file when it is ended", async () => {
    const real = socketPath("app.real");
    const path = socketPath("app.sock");
    await using server = await startUnixServer(async (reader, writer) => {
      for await (const line of reader) writer.write(`you said: ${line.toString()}`);
      writer.write(Buffer.of(0, 1, 2));
      writer.close();
    }, real);
    assert.ok(server.isServing());

    const relay = startExample([...exampleCommand("relay.js"), path, real], path);
    const linesThrough = async (last: string): Promise<string[]> =>
      (await relay.output.readuntil(`${last}\n`)).toString().trimEnd().split("\n");

    try {
      assert.deepEqual(await linesThrough(real), [`relays ${path} to ${real}`]);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      for (const number of [1, 2]) {
        const [reader, writer] = await openUnixConnection(path);
        writer.write("hello\n");
        assert.equal((await reader.readline()).toString(), "you said: hello\n");
        writer.writeEof();
        assert.deepEqual(await reader.read(), Buffer.of(0, 1, 2));
        writer.close();
        await writer.waitClosed();
        const lines = await linesThrough("* closed");
        for (const line of lines) assert.match(line, new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} #${number} [><*] `));
        assert.deepEqual(
          lines.map((line) => line.slice("14:25:00.000 #1 ".length)),
          [
            "* connected",
            "> hello\\n",
            "< you said: hello\\n",
            "* the client has ended",
            `< 00000010  ${"00 01 02".padEnd(48)} ...`,
            "* the server has ended",
            "* closed",
          ],
        );
      }
    } finally {
      process.kill(relay.process.pid as number, "SIGTERM"); // Deno: a child that was sent a signal by its own kill() is told to have died of it
    }
    assert.equal(await relay.ended(), "");
    assert.equal(existsSync(path), false);
  });
});
