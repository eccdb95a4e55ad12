import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StreamReader, Transport } from "asyncio-streams";
import { connectedStreams, text } from "../support/readers.js";
import { turns } from "../support/turns.js";

/** A reader with a limit of 10 that is paused: 21 bytes are in it, the last two lines short. */
function pausedReader(): ReturnType<typeof connectedStreams> {
  const connected = connectedStreams({ limit: 10 });
  connected.reader.feedData("12345678\n12345678\n\n\n\n");
  assert.deepEqual(connected.transport.calls, ["pauseReading"]);
  return connected;
}

describe("StreamReader flow control", () => {
  for (const [name, call] of [
    ["read", (reader: StreamReader) => reader.read(11)],
    ["readexactly", (reader: StreamReader) => reader.readexactly(11)],
    ["readline", async (reader: StreamReader) => [await reader.readline(), await reader.readline()]],
    ["readuntil", async (reader: StreamReader) => [await reader.readuntil(), await reader.readuntil("\n")]],
    [
      "iteration",
      async (reader: StreamReader) => {
        let lines = 0;
        for await (const line of reader) {
          assert.equal(line.length, 9);
          lines += 1;
          if (lines === 2) return;
        }
      },
    ],
  ] as const) {
    it(`resumes after ${name}`, async () => {
      const { reader, transport } = pausedReader();
      await call(reader);
      assert.deepEqual(transport.calls, ["pauseReading", "resumeReading"]);
    });
  }

  it("resumes for a waiting read, so that a read far over the limit works", async () => {
    const { reader, transport } = pausedReader();
    const exactly = reader.readexactly(1000);
    assert.deepEqual(transport.calls, ["pauseReading", "resumeReading"]);
    while (transport.calls.at(-1) !== "pauseReading") {
      reader.feedData("x".repeat(100));
      await turns();
    }
    // Paused again only when the read had what it wanted, with more than twice the limit behind it.
    assert.equal((await exactly).length, 1000);
    assert.equal((await reader.read(1000)).length, 21);
  });

  it("resumes for a read to EOF, and does not pause while it waits", async () => {
    const { reader, transport } = pausedReader();
    const read = reader.read();
    for (let index = 0; index < 10; index += 1) {
      reader.feedData("x".repeat(100));
      await turns();
    }
    assert.deepEqual(transport.calls, ["pauseReading", "resumeReading"]);
    reader.feedEof();
    assert.equal((await read).length, 1021);
  });

  it("pauses after an aborted read that has gathered too much", async () => {
    const { reader, transport } = connectedStreams({ limit: 10 });
    const controller = new AbortController();
    const read = reader.read(-1, { signal: controller.signal });
    reader.feedData("x".repeat(100));
    await turns();
    assert.deepEqual(transport.calls, []);
    controller.abort();
    assert.deepEqual(transport.calls, ["pauseReading"]);
    await assert.rejects(read, { name: "AbortError" });
    await reader.readexactly(90);
    assert.deepEqual(transport.calls, ["pauseReading", "resumeReading"]);
  });

  it("stays paused after a read that is refused or has an aborted signal", async () => {
    const { reader, transport } = pausedReader();
    await assert.rejects(reader.readexactly(-1));
    await assert.rejects(reader.readexactly(100, { signal: AbortSignal.abort() }));
    assert.deepEqual(transport.calls, ["pauseReading"]);
  });

  it("buffers without end on a transport that cannot pause", async () => {
    const { reader, transport } = connectedStreams({ limit: 1 });
    (transport as Partial<Transport>).pauseReading = undefined as never;
    reader.feedData("x".repeat(1000));
    reader.feedEof();
    assert.equal((await text(reader.read())).length, 1000);
    assert.deepEqual(transport.calls, []);
  });
});
