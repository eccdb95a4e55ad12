import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { type SignalOptions, StreamReader } from "asyncio-streams";
import { readerOf, rest, text } from "../support/readers.js";
import { runtime } from "../support/runtime.js";
import { isSettled, microtasks } from "../support/turns.js";
import { warningsOf } from "../support/warnings-of.js";
import { watchedController } from "../support/watched-signal.js";

/** Each call: the data that lets it wait, the data that is enough, whether that needs the end, and the result. */
const calls = [
  {
    name: "read(3)",
    call: (reader: StreamReader, options: SignalOptions) => reader.read(3, options),
    before: "",
    after: "abcd",
    ended: false,
    result: "abc",
  },
  {
    name: "read()",
    call: (reader: StreamReader, options: SignalOptions) => reader.read(-1, options),
    before: "ab",
    after: "cd",
    ended: true,
    result: "abcd",
  },
  {
    name: "readline()",
    call: (reader: StreamReader, options: SignalOptions) => reader.readline(options),
    before: "ab",
    after: "c\nd",
    ended: false,
    result: "abc\n",
  },
  {
    name: "readexactly(4)",
    call: (reader: StreamReader, options: SignalOptions) => reader.readexactly(4, options),
    before: "ab",
    after: "cde",
    ended: false,
    result: "abcd",
  },
  {
    name: "readuntil(END)",
    call: (reader: StreamReader, options: SignalOptions) => reader.readuntil("END", options),
    before: "abEN",
    after: "Dc",
    ended: false,
    result: "abEND",
  },
  {
    name: "readuntil([;, END])",
    call: (reader: StreamReader, options: SignalOptions) => reader.readuntil([";", "END"], options),
    before: "abE",
    after: "NDc;",
    ended: false,
    result: "abEND",
  },
] as const;

for (const { name, call, before, after, ended, result } of calls) {
  const feed = (reader: StreamReader): void => {
    reader.feedData(after);
    if (ended) reader.feedEof();
  };

  describe(`an aborted ${name}`, () => {
    it("rejects with the signal's reason if that was aborted before, and consumes nothing, though all is there", async () => {
      const reader = readerOf([before + after]);
      if (ended) reader.feedEof();
      const reason = { any: "value" };
      await assert.rejects(call(reader, { signal: AbortSignal.abort(reason) }), (thrown) => thrown === reason);
      assert.equal(await rest(reader), before + after);
    });

    it("rejects with the signal's reason while it waits, consumes nothing and leaves no listener", async () => {
      const reader = readerOf([before]);
      const controller = watchedController();
      const waiting = call(reader, { signal: controller.signal });
      assert.equal(await isSettled(waiting), false);
      assert.equal(controller.listeners(), 1);
      const reason = new Error("enough");
      controller.abort(reason);
      await assert.rejects(waiting, (thrown) => thrown === reason);
      assert.equal(controller.listeners(), 0);
      assert.equal(await rest(reader), before);
    });

    it("consumes nothing if the data came first, in the same turn", async () => {
      const reader = readerOf([before]);
      const controller = watchedController();
      const waiting = call(reader, { signal: controller.signal });
      feed(reader);
      controller.abort();
      await assert.rejects(waiting, { name: "AbortError" });
      assert.equal(controller.listeners(), 0);
      assert.equal(await rest(reader), before + after);
    });

    it("keeps its result after a later abort", async () => {
      const reader = readerOf([before]);
      const controller = watchedController();
      const waiting = call(reader, { signal: controller.signal });
      feed(reader);
      assert.equal(await text(waiting), result);
      assert.equal(controller.listeners(), 0);
      controller.abort();
      assert.equal(await rest(reader), (before + after).slice(result.length));
    });

    it("returns its result or leaves everything for the next read, at any turn of the abort", async () => {
      const outcomes = new Set<string>();
      for (let turn = 0; turn < 8; turn += 1) {
        const reader = readerOf([before]);
        const controller = watchedController();
        const settled = call(reader, { signal: controller.signal }).then(
          (bytes) => bytes.toString(),
          (error: Error) => error.name,
        );
        feed(reader);
        if (turn > 0) await microtasks(turn);
        controller.abort();
        const outcome = await settled;
        outcomes.add(outcome);
        assert.ok(outcome === "AbortError" || outcome === result, outcome);
        assert.equal(await rest(reader), (before + after).slice(outcome === result ? result.length : 0), `abort at turn ${turn}`);
        assert.equal(controller.listeners(), 0);
      }
      assert.deepEqual([...outcomes], ["AbortError", result]);
    });

    it("leaves the next call of its kind all the data", async () => {
      const reader = readerOf([before]);
      for (let time = 0; time < 3; time += 1) {
        const controller = new AbortController();
        const waiting = call(reader, { signal: controller.signal });
        controller.abort();
        await assert.rejects(waiting, { name: "AbortError" });
      }
      const waiting = call(reader, {});
      feed(reader);
      assert.equal(await text(waiting), result);
    });
  });

  describe(`${name} on a long-lived signal`, () => {
    it("leaves no listener after 10,000 calls that waited, and 10,000 that did not", async () => {
      const controller = watchedController();
      const { signal } = controller;
      for (let index = 0; index < 10_000; index += 1) {
        // A reader of its own for each, since some of the calls need an end.
        const reader = new StreamReader();
        if (before !== "") reader.feedData(before);
        const waiting = call(reader, { signal });
        feed(reader);
        await waiting;
      }
      assert.equal(controller.peak(), 1);
      for (let index = 0; index < 10_000; index += 1) {
        const reader = readerOf([before + after]);
        if (ended) reader.feedEof();
        await call(reader, { signal });
      }
      assert.equal(controller.peak(), 1);
      assert.equal(controller.listeners(), 0);
      // Bun and Deno do not list the listeners of a signal.
      if (runtime === "node") assert.equal(getEventListeners(signal, "abort").length, 1); // the watch itself
    });

    it("leaves no listener after a call that fails", async () => {
      const controller = watchedController();
      const { signal } = controller;
      const failing = readerOf([before]);
      const waiting = call(failing, { signal });
      failing.setException(new Error("set"));
      await assert.rejects(waiting, { message: "set" });
      await assert.rejects(call(failing, { signal }), { message: "set" });
      const busy = new StreamReader();
      const first = busy.read();
      await assert.rejects(call(busy, { signal }), { code: "ERR_CONCURRENT_READ" });
      busy.feedEof();
      await first;
      assert.equal(controller.listeners(), 0);
    });
  });
}

describe("an aborted read to EOF", () => {
  it("leaves the gathered bytes for the next read", async () => {
    const reader = new StreamReader({ limit: 4 });
    const controller = new AbortController();
    const all = reader.read(-1, { signal: controller.signal });
    for (let index = 0; index < 100; index += 1) {
      reader.feedData(`line ${index}\n`);
      await microtasks(3);
    }
    controller.abort();
    await assert.rejects(all, { name: "AbortError" });
    assert.equal(await text(reader.read(7)), "line 0\n");
    assert.equal(await rest(reader), Array.from({ length: 99 }, (_, index) => `line ${index + 1}\n`).join(""));
  });
});

describe("one signal for many readers", () => {
  // Node 20 warns of the eleventh listener on a signal: a server gives one signal to the reads of all its clients.
  it("ends all their waits without a warning, and keeps no listener", async () => {
    const controller = watchedController();
    const readers = Array.from({ length: 100 }, () => new StreamReader());
    let reads: Promise<unknown>[] = [];
    const warnings = await warningsOf(() => {
      reads = readers.map((reader) => assert.rejects(reader.readline({ signal: controller.signal }), { name: "AbortError" }));
    });
    controller.abort();
    await Promise.all(reads);
    assert.deepEqual(warnings, []);
    assert.equal(controller.listeners(), 0);
    for (const reader of readers) assert.equal(await rest(reader), "");
  });

  it("ends only the reads that still wait", async () => {
    const controller = watchedController();
    const readers = ["a\n", "", "b\n"].map((fed) => ({ reader: new StreamReader(), fed }));
    const reads = readers.map(({ reader, fed }) => {
      const read = reader.readline({ signal: controller.signal });
      reader.feedData(fed);
      return read;
    });
    await microtasks(3);
    controller.abort();
    const results = await Promise.allSettled(reads);
    assert.deepEqual(
      results.map((result) => (result.status === "fulfilled" ? result.value.toString() : result.reason.name)),
      ["a\n", "AbortError", "b\n"],
    );
    assert.equal(controller.listeners(), 0);
  });
});

describe("AbortSignal.timeout", () => {
  it("ends a wait with a TimeoutError", async () => {
    const reader = readerOf(["ab"]);
    const alive = setInterval(() => {}, 1_000); // the timer of the signal does not keep the process alive
    await assert.rejects(reader.readline({ signal: AbortSignal.timeout(1) }), { name: "TimeoutError" });
    clearInterval(alive);
    assert.equal(await rest(reader), "ab");
  });
});
