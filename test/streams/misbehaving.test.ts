/** Code of the program that throws where nothing is expected to: getters, warnings, sources and sinks. No call hangs, and nothing is uncaught. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { Duplex, Readable, Writable } from "node:stream";
import { describe, it } from "node:test";
import { StreamReader, StreamWriter } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { connectedStreams, readerOf } from "../support/readers.js";
import { turns } from "../support/turns.js";

const broken = (): never => {
  throw new Error("do not ask");
};

describe("an error whose message cannot be read", () => {
  it("ends every wait, when a connection is aborted with it", async () => {
    const [client] = memoryPair({ capacity: 10 });
    client.writer.write(Buffer.alloc(100_000));
    const waits = [client.writer.drain(), client.writer.flush()].map((wait) => assert.rejects(wait, { code: "ECONNRESET" }));
    const reason = Object.defineProperty(new Error("unread"), "message", { get: broken });
    client.writer.abort(reason);
    await Promise.all(waits);
    await assert.rejects(client.writer.waitClosed(), (error) => error === reason);
  });
});

describe("a process.emitWarning() that throws", () => {
  it("does not keep the client of a callback that fails", async () => {
    const emitWarning = process.emitWarning.bind(process);
    process.emitWarning = broken as never;
    try {
      const [client] = memoryPair({ clientConnectedCb: async () => Promise.reject(new Error("the callback failed")) });
      assert.equal((await client.reader.read()).length, 0);
      client.writer.close();
      await client.writer.waitClosed();
    } finally {
      process.emitWarning = emitWarning;
    }
  });
});

describe("a loop that ignores errors", () => {
  it("lets the event loop run", async () => {
    const reader = new StreamReader();
    reader.setException(new Error("failed"));
    let hasTurned = false;
    setImmediate(() => {
      hasTurned = true;
    });
    let calls = 0;
    for (; !hasTurned; calls += 1) await reader.readline().catch(() => {});
    assert.ok(calls <= 300, `${calls} calls in one turn`);
  });
});

/** Node emits 'pause' within `pause()`, but 'resume' in a later tick, where an exception is the program's own. */
function arm(source: Readable, event: "pause" | "resume"): void {
  if (event === "pause") source.on(event, broken);
  else source.resume = broken;
}

/** How the program's own code throws when reading is paused or resumed. */
const throwers: Readonly<
  Record<string, (event: "pause" | "resume") => { reader: StreamReader; feed: (text: string) => void; arm: () => void }>
> = {
  "a listener of a source"(event) {
    const source = new Readable({ read() {} });
    const reader = StreamReader.from(source, { limit: 1 });
    return { reader, feed: (text) => source.push(text), arm: () => arm(source, event) };
  },
  "a Duplex as a source"(event) {
    const source = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const reader = StreamReader.from(source, { limit: 1 });
    return { reader, feed: (text) => source.push(text), arm: () => arm(source, event) };
  },
  "a transport"(event) {
    const { reader, protocol, transport } = connectedStreams({ limit: 1 });
    const arm = (): void => {
      transport[event === "pause" ? "pauseReading" : "resumeReading"] = broken;
    };
    return { reader, feed: (text) => protocol.dataReceived(Buffer.from(text)), arm };
  },
};

for (const [name, make] of Object.entries(throwers)) {
  describe(`${name} that throws when reading`, () => {
    for (const end of ["a time-out", "a signal"] as const) {
      it(`is paused at the end of a wait by ${end} does not keep other waits from ending`, async () => {
        const { reader, feed, arm } = make("pause");
        const controller = new AbortController();
        const options = end === "a time-out" ? { timeout: 31 } : { signal: controller.signal };
        const name = end === "a time-out" ? "TimeoutError" : "AbortError";
        arm(); // nothing is paused while a read waits
        const first = assert.rejects(reader.readexactly(100, options), { name });
        feed("abcdefgh");
        const second = assert.rejects(new StreamReader().readline(options), { name });
        if (end === "a signal") await turns(3);
        controller.abort();
        await Promise.all([first, second]);
        await assert.rejects(new StreamReader().readline(end === "a time-out" ? options : { timeout: 31 }), { name: "TimeoutError" });
        // The data can be read, then comes the error.
        assert.equal(String(await reader.readexactly(8)), "abcdefgh");
        await assert.rejects(reader.readexactly(1), { message: "do not ask" });
      });
    }

    it("is resumed ends reading after the data, and no read stays", async () => {
      const { reader, feed, arm } = make("resume");
      feed("abcdefgh");
      await turns(3);
      arm();
      assert.equal(String(await reader.readexactly(8)), "abcdefgh"); // resumes
      await assert.rejects(reader.readline(), { message: "do not ask" });
      await assert.rejects(reader.readline({ timeout: 60_000 }), { message: "do not ask" });
    });

    it("is resumed for a read that waits rejects that read", async () => {
      const { reader, feed, arm } = make("resume");
      feed("abcdefgh");
      await turns(3);
      arm();
      await assert.rejects(reader.readexactly(9), { message: "do not ask" });
      assert.equal(String(await reader.readexactly(8)), "abcdefgh");
    });
  });
}

describe("a source that throws when it is paused", () => {
  it("at the end of a loop: the data can still be read", async () => {
    const source = new Readable({ read() {} });
    const reader = StreamReader.from(source);
    source.push("one\ntwo\n");
    source.on("pause", broken);
    for await (const _ of reader) break;
    assert.equal(String(await reader.readline()), "two\n");
    await assert.rejects(reader.readline(), { message: "do not ask" });
  });

  it("is still given back, if it is a Duplex", async () => {
    const source = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const reader = StreamReader.from(source);
    source.on("pause", broken);
    await reader.cancel();
    assert.equal(String(await reader.read()), "");
  });
});

describe("a source whose destroy() throws", () => {
  it("is still given back", async () => {
    const source = new Readable({ read() {} });
    const reader = StreamReader.from(source);
    source.destroy = broken;
    await reader.cancel();
    assert.equal((await reader.read()).length, 0);
    Readable.prototype.destroy.call(source);
    await turns();
  });
});

describe("a sink whose destroy() throws", () => {
  it("is lost with the thrown error, or with the given reason", async () => {
    for (const reason of [undefined, new Error("given up")]) {
      const sink = new Writable({ write() {} });
      const writer = StreamWriter.from(sink);
      writer.write("never done");
      sink.destroy = broken;
      writer.abort(reason);
      await assert.rejects(writer.waitClosed(), { message: reason?.message ?? "do not ask" });
      Writable.prototype.destroy.call(sink);
      await turns();
    }
  });
});

describe("peek()", () => {
  for (const n of [1, 100, 128, 129, 5_000]) {
    it(`allocates once for ${n} bytes`, async () => {
      const reader = readerOf(["a".repeat(6_000)]);
      const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
      let allocations = 0;
      Buffer.allocUnsafeSlow = (size) => {
        allocations += 1;
        return allocUnsafeSlow(size);
      };
      try {
        assert.equal((await reader.peek(n)).length, n);
      } finally {
        Buffer.allocUnsafeSlow = allocUnsafeSlow;
      }
      assert.ok(allocations <= 1, `${allocations} allocations`);
    });
  }

  it("rejects without memory, consumes nothing, and may be called again", async () => {
    const reader = readerOf(["a".repeat(6_000)]);
    const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
    Buffer.allocUnsafeSlow = () => {
      throw new RangeError("Array buffer allocation failed");
    };
    let calls: Promise<Buffer>[];
    try {
      calls = [100, 5_000].map((n) => reader.peek(n)); // must not throw
    } finally {
      Buffer.allocUnsafeSlow = allocUnsafeSlow;
    }
    for (const call of calls) await assert.rejects(call, { code: "ENOMEM" });
    assert.equal((await reader.peek(100)).length, 100);
    assert.equal(reader.bufferedLength, 6_000);
  });
});

describe("readline() without memory for a line that has to be copied", () => {
  it("rejects with an error, and may be called again", async () => {
    const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
    const reader = new StreamReader();
    reader.feedData("1\n");
    reader.feedData(`${"2".repeat(100)}\n`);
    reader.feedData("3\n");
    assert.equal((await reader.readline()).toString(), "1\n");
    Buffer.allocUnsafeSlow = () => {
      throw new RangeError("Array buffer allocation failed");
    };
    let call: Promise<Buffer>;
    try {
      call = reader.readline(); // must not throw
    } finally {
      Buffer.allocUnsafeSlow = allocUnsafeSlow;
    }
    await assert.rejects(call, { code: "ENOMEM" });
    assert.equal((await reader.readline()).toString(), `${"2".repeat(100)}\n`);
  });
});
