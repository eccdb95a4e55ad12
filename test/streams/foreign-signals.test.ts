/** Signals that are not the platform's own: of a polyfill, of another realm, and such as throw. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import {
  createServer,
  createUnixServer,
  openConnection,
  openUnixConnection,
  StreamReader,
  StreamReaderProtocol,
  startUnixServer,
} from "asyncio-streams";
import { frames, netstring } from "asyncio-streams/framing";
import { Waiters } from "#src/base/waiting.js";
import { OldSignal } from "../support/foreign.js";
import { connectedStreams } from "../support/readers.js";
import { socketPath } from "../support/temporary.js";
import { turns } from "../support/turns.js";

type Call = (options: { readonly signal: AbortSignal; readonly timeout?: number }) => Promise<unknown>;

function pausedWriter(): ReturnType<typeof connectedStreams>["writer"] {
  const { writer, protocol } = connectedStreams();
  protocol.pauseWriting();
  return writer;
}

const calls: Readonly<Record<string, Call>> = {
  "read()": (options) => new StreamReader().read(1, options),
  "readline()": (options) => new StreamReader().readline(options),
  "lines()": (options) => new StreamReader().lines(options).next(),
  "chunks()": (options) => new StreamReader().chunks(1, options).next(),
  "frames()": (options) => frames(new StreamReader(), netstring(), options).next(),
  "drain()": (options) => pausedWriter().drain(options),
  "waitClosed()": (options) => connectedStreams().writer.waitClosed(options),
};

describe("a signal without a reason, of a polyfill", () => {
  for (const [name, call] of Object.entries(calls)) {
    for (const timeout of [undefined, 3_600_000]) {
      const traits = timeout === undefined ? {} : { timeout };
      const title = timeout === undefined ? name : `${name} with a time-out`;
      it(`has aborted before: ${title}`, async () => {
        const old = new OldSignal();
        old.abort();
        await assert.rejects(async () => call({ signal: old.signal, ...traits }), { name: "AbortError" });
      });

      it(`aborts a wait: ${title}`, async () => {
        const old = new OldSignal();
        const rejection = assert.rejects(call({ signal: old.signal, ...traits }), { name: "AbortError" });
        await turns();
        old.abort();
        old.abort();
        await rejection;
      });
    }
  }

  it("ends connecting, serving and shutting down", async () => {
    const path = socketPath();
    const aborted = new OldSignal();
    aborted.abort();
    const { signal } = aborted;
    await assert.rejects(openUnixConnection(path, { signal }), { name: "AbortError" });
    await assert.rejects(openConnection("127.0.0.1", 1, { signal }), { name: "AbortError" });
    await assert.rejects(
      startUnixServer(() => {}, path, { signal }),
      { name: "AbortError" },
    );
    const server = await startUnixServer(() => {}, path, { signal: new OldSignal().signal });
    const serving = new OldSignal();
    const forever = assert.rejects(server.serveForever({ signal: serving.signal }), { name: "AbortError" });
    await turns();
    serving.abort();
    await forever;
    await server.shutdown({ signal });
  });
});

/** Signals of which something throws, and what. */
function throwing(): Readonly<Record<string, AbortSignal>> {
  const broken = (): never => {
    throw new Error("a broken signal");
  };
  const { signal } = new AbortController();
  const base = { aborted: false, addEventListener() {}, removeEventListener() {} };
  return {
    "a getter": Object.defineProperty({ ...base }, "aborted", { get: broken }) as unknown as AbortSignal,
    "addEventListener()": { ...base, addEventListener: broken } as unknown as AbortSignal,
    "addEventListener() of a real one": Object.defineProperty(signal, "addEventListener", { value: broken }),
  };
}

describe("a signal that throws", () => {
  for (const [name, call] of Object.entries(calls)) {
    for (const [what, signal] of Object.entries(throwing())) {
      it(`is the error of the call: ${what}, ${name}`, async () => {
        for (let time = 0; time < 2; time += 1)
          await assert.rejects(async () => call({ signal, timeout: 1 }), { message: "a broken signal" });
        await turns(2);
      });
    }
  }

  it("leaves a reader usable", async () => {
    const reader = new StreamReader();
    for (const signal of Object.values(throwing())) await assert.rejects(reader.readline({ signal }), { message: "a broken signal" });
    const line = reader.readline();
    reader.feedData("a line\n");
    assert.equal(String(await line), "a line\n");
  });

  for (const [what, signal] of Object.entries(throwing())) {
    it(`opens and serves nothing: ${what}`, async () => {
      const path = socketPath();
      const factory = (): StreamReaderProtocol => new StreamReaderProtocol(new StreamReader());
      await assert.rejects(createUnixServer(factory, path, { signal }), { message: "a broken signal" });
      await assert.rejects(createServer(factory, "127.0.0.1", 0, { signal }), { message: "a broken signal" });
      await assert.rejects(openUnixConnection(path, { signal }), { message: "a broken signal" });
      await assert.rejects(openConnection("localhost", 1, { signal }), { message: "a broken signal" });
      await turns(5);
      assert.deepEqual(readdirSync(dirname(path)), []);
      const server = await startUnixServer(() => {}, path);
      await assert.rejects(server.shutdown({ signal }), { message: "a broken signal" });
      assert.equal(server.isServing(), true);
      await server.shutdown();
    });
  }

  it("may throw when a listener is removed, or when its reason is read", async () => {
    const waiters = new Waiters();
    const listeners: (() => void)[] = [];
    const signal = {
      aborted: false,
      addEventListener: (_type: string, listener: () => void) => void listeners.push(listener),
      removeEventListener() {
        throw new Error("it does not let go");
      },
      get reason(): never {
        throw new Error("no reason");
      },
    } as unknown as AbortSignal;
    const woken = waiters.wait(signal);
    waiters.wake();
    await woken;
    const aborted = assert.rejects(waiters.wait(signal), { message: "no reason" });
    for (const listener of listeners) listener();
    await aborted;
  });
});
