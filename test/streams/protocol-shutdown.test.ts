import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ClientConnectedCallback, type ClientContext, StreamReader, StreamReaderProtocol } from "asyncio-streams";
import { FakeTransport } from "../support/fake-transport.js";
import { connectedStreams, text } from "../support/readers.js";
import { isSettled, turns } from "../support/turns.js";

function connect(callback: ClientConnectedCallback): { protocol: StreamReaderProtocol; transport: FakeTransport } {
  const transport = new FakeTransport();
  const protocol = new StreamReaderProtocol(new StreamReader(), callback);
  protocol.connectionMade(transport);
  return { protocol, transport };
}

/** A promise, and what fulfils it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe("the signal of a callback's context", () => {
  it("is aborted by the request, once, with an AbortError that says why", () => {
    const events: unknown[] = [];
    let context!: ClientContext;
    const { protocol } = connect((_reader, _writer, given) => {
      context = given;
      given.signal.addEventListener("abort", () => events.push(given.signal.reason));
    });
    assert.equal(context.signal.aborted, false);
    protocol.shutdownRequested();
    protocol.shutdownRequested();
    assert.equal(context.signal.aborted, true);
    assert.equal(events.length, 1);
    assert.equal((events[0] as Error).name, "AbortError");
    assert.match((events[0] as Error).message, /shutting down/);
  });

  it("is the same object each time", () => {
    let context!: ClientContext;
    const { protocol } = connect((_reader, _writer, given) => {
      context = given;
    });
    const first = context.signal;
    protocol.shutdownRequested();
    assert.equal(context.signal, first);
  });

  it("is aborted when it is first read after the request", () => {
    let context!: ClientContext;
    const { protocol } = connect((_reader, _writer, given) => {
      context = given;
    });
    protocol.shutdownRequested();
    assert.equal(context.signal.aborted, true);
    assert.equal(context.signal.reason.name, "AbortError");
  });

  it("is not aborted by the end of the connection", () => {
    let context!: ClientContext;
    const { protocol } = connect((_reader, _writer, given) => {
      context = given;
    });
    protocol.connectionLost(null);
    assert.equal(context.signal.aborted, false);
  });

  it("ends the wait of a call that was given it, and nothing is consumed", async () => {
    const { protocol, transport } = connect(async (reader, writer, { signal }) => {
      await reader.readexactly(10, { signal }).catch(() => {});
      writer.write(await reader.read(10));
      writer.close();
    });
    protocol.dataReceived(Buffer.from("half"));
    await turns();
    protocol.shutdownRequested();
    await turns();
    assert.deepEqual(transport.calls.slice(0, 2), ["write half", "close"]);
  });
});

describe("a reader when shutdown is requested", () => {
  it("ends a read that waits with nothing received", async () => {
    for (const call of [
      (reader: StreamReader) => reader.readline(),
      (reader: StreamReader) => reader.read(5),
      (reader: StreamReader) => reader.read(),
    ]) {
      const { reader, protocol } = connectedStreams();
      const waiting = call(reader);
      protocol.shutdownRequested();
      assert.equal(await text(waiting), "");
      assert.equal(reader.atEof(), true);
    }
  });

  it("ends a loop over lines at its next pause, after all that was received", async () => {
    const { reader, protocol } = connectedStreams();
    protocol.dataReceived(Buffer.from("one\ntwo\n"));
    protocol.shutdownRequested();
    const lines: string[] = [];
    for await (const line of reader) lines.push(line.toString());
    assert.deepEqual(lines, ["one\n", "two\n"]);
  });

  it("lets a message that has begun be finished", async () => {
    const { reader, protocol } = connectedStreams();
    protocol.dataReceived(Buffer.from("on"));
    const line = reader.readline();
    protocol.shutdownRequested();
    assert.equal(await isSettled(line), false);
    protocol.dataReceived(Buffer.from("e\n"));
    assert.equal(await text(line), "one\n");
    assert.equal(await text(reader.readline()), "");
  });

  it("rejects a read of an exact number with IncompleteReadError", async () => {
    const { reader, protocol } = connectedStreams();
    const exactly = reader.readexactly(4);
    protocol.shutdownRequested();
    await assert.rejects(exactly, { code: "ERR_INCOMPLETE_READ", partial: Buffer.alloc(0), expected: 4 });
  });

  it("drops the bytes that the peer sends after that end", async () => {
    const { reader, protocol } = connectedStreams();
    protocol.shutdownRequested();
    assert.equal(await text(reader.readline()), "");
    protocol.dataReceived(Buffer.from("late\n"));
    protocol.eofReceived();
    protocol.connectionLost(null);
    assert.equal(await text(reader.read()), "");
  });

  it("keeps the error of a connection that is lost meanwhile", async () => {
    const { reader, protocol } = connectedStreams();
    protocol.dataReceived(Buffer.from("half"));
    const exactly = reader.readexactly(10);
    protocol.shutdownRequested();
    const lost = new Error("lost");
    protocol.connectionLost(lost);
    await assert.rejects(exactly, (thrown) => thrown === lost);
  });
});

describe("the connection when shutdown is requested", () => {
  it("is closed if the callback has returned", async () => {
    const { protocol, transport } = connect(async () => {});
    await turns();
    assert.deepEqual(transport.calls, []);
    protocol.shutdownRequested();
    assert.deepEqual(transport.calls, ["close"]);
  });

  it("is closed when the callback returns", async () => {
    const { opened, open } = gate();
    const { protocol, transport } = connect(() => opened);
    protocol.shutdownRequested();
    await turns();
    assert.deepEqual(transport.calls, []);
    open();
    await turns();
    assert.deepEqual(transport.calls, ["close"]);
  });

  it("is left to the callback that is still at work", async () => {
    const { opened, open } = gate();
    const { protocol, transport } = connect(async (_reader, writer) => {
      await opened;
      writer.write("the last answer");
    });
    protocol.shutdownRequested();
    open();
    await turns();
    assert.deepEqual(transport.calls, ["write the last answer", "close"]);
  });

  it("is not affected on the client's side, which has no callback", () => {
    const { protocol, transport } = connectedStreams();
    protocol.shutdownRequested();
    assert.deepEqual(transport.calls, []);
  });
});
