/** The conformance suite itself: it finds the transports that break a promise. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Protocol, WriteData } from "asyncio-streams";
import { type CheckResult, checkTransport, connectMemory, type MakePair, type MemoryTransport, runChecks } from "asyncio-streams/testing";

/** So many milliseconds are enough for a check in memory to pass, and few enough to wait for those that hang. */
const TIMEOUT_MS = 400;

/** The memory transport, with something about it changed. */
function changed(change: (transport: MemoryTransport) => void): MakePair {
  return (first, second) => {
    for (const transport of connectMemory(first, second)) change(transport);
  };
}

/** Runs the checks whose names match, and gives those that failed. */
async function failures(makePair: MakePair, names: RegExp, timeout: number = TIMEOUT_MS): Promise<CheckResult[]> {
  const checks = checkTransport(makePair, undefined, { timeout }).filter(({ name }) => names.test(name));
  assert.ok(checks.length > 0, `no check is called ${String(names)}`);
  return (await runChecks(checks)).filter(({ error }) => error !== null);
}

/** Broken promises, each with the checks that have to notice, every one of them. */
const broken: readonly (readonly [what: string, change: (transport: MemoryTransport) => void, names: RegExp])[] = [
  ["close() that drops what is buffered", (transport) => (transport.close = () => transport.abort()), /close\(\) waits for a peer/],
  [
    "write() that loses every other piece",
    (transport) => {
      const write = transport.write.bind(transport);
      let count = 0;
      transport.write = (data: WriteData) => {
        count += 1;
        if (count % 2 === 1) write(data);
      };
    },
    /carries bytes both ways|in one turn arrives in order/,
  ],
  [
    "write() that sends text as Latin-1",
    (transport) => {
      const write = transport.write.bind(transport);
      transport.write = (data: WriteData) => write(typeof data === "string" ? Buffer.from(data, "latin1") : data);
    },
    /sends text as UTF-8/,
  ],
  ["pauseReading() that does nothing", (transport) => (transport.pauseReading = () => {}), /pauseReading\(\) holds/],
  ["pauseReading() within dataReceived() that does nothing", (transport) => (transport.pauseReading = () => {}), /pauseReading\(\) within/],
  ["resumeReading() that does nothing", (transport) => (transport.resumeReading = () => {}), /resumeReading\(\) delivers/],
  [
    "marks that are not kept",
    (transport) => (transport.setWriteBufferLimits = () => {}),
    /computes the missing mark|refuses invalid marks|new marks apply/,
  ],
  ["a buffer that is always empty", (transport) => (transport.getWriteBufferSize = () => 0), /above the high mark|is sent too/],
  ["abort() that forgets the reason", (transport) => dropArgument(transport), /with a reason/],
  ["isClosing() that lies", (transport) => (transport.isClosing = () => false), /isClosing\(\) and isReading/],
  [
    "writeEof() that closes",
    (transport) => (transport.writeEof = () => transport.close()),
    /leaves the other open|writing after writeEof|kept until it is closed/,
  ],
  ["writeEof() that does nothing", (transport) => (transport.writeEof = () => {}), /leaves the other open|does not return true/],
  ["canWriteEof() that lies", (transport) => (transport.canWriteEof = () => false), /if canWriteEof\(\) is false/],
  ["setProtocol() that does nothing", (transport) => (transport.setProtocol = () => {}), /to another protocol|of the new protocol/],
  ["getExtraInfo() that looks at the prototype", (transport) => (transport.getExtraInfo = prototypeInfo as never), /for an unknown name/],
  ["write() that takes anything", (transport) => takeAnything(transport), /for data that is neither/],
];

function dropArgument(transport: MemoryTransport): void {
  const abort = transport.abort.bind(transport);
  transport.abort = () => abort();
}

function prototypeInfo(name: string, defaultValue: unknown = null): unknown {
  return ({} as Record<string, unknown>)[name] ?? defaultValue;
}

function takeAnything(transport: MemoryTransport): void {
  const write = transport.write.bind(transport);
  transport.write = (data: WriteData) => write(typeof data === "string" || data instanceof Uint8Array ? data : "");
}

describe("checkTransport()", () => {
  for (const [what, change, names] of broken) {
    it(`finds ${what}`, async () => {
      const makePair = changed(change);
      const wanted = checkTransport(makePair).filter(({ name }) => names.test(name));
      assert.deepEqual(
        (await failures(makePair, names)).map(({ name }) => name),
        wanted.map(({ name }) => name),
      );
    });
  }

  it("finds a second connectionLost()", async () => {
    const twice: MakePair = (first, second) => {
      const connectionLost = first.connectionLost.bind(first);
      first.connectionLost = (error) => {
        connectionLost(error);
        connectionLost(error);
      };
      connectMemory(first, second);
    };
    assert.equal((await failures(twice, /comes once/)).length, 1);
  });

  it("finds a connectionLost() call within close()", async () => {
    const atOnce: MakePair = (first, second) => {
      const [transport] = connectMemory(first, second);
      const close = transport.close.bind(transport);
      transport.close = () => {
        close();
        first.connectionLost(null);
      };
    };
    assert.equal((await failures(atOnce, /never from within/)).length, 1);
  });

  it("has names that differ, and each check can be run by itself, more than once", async () => {
    const checks = checkTransport((first, second) => void connectMemory(first, second));
    assert.ok(checks.length > 40);
    assert.equal(new Set(checks.map(({ name }) => name)).size, checks.length);
    assert.ok(checks.some(({ clogged }) => clogged) && checks.some(({ clogged }) => !clogged));
    const [check] = checks;
    await check!.run();
    await check!.run();
  });

  it("clogs by the second argument, if there is one, and cleans up after each check", async () => {
    let clogs = 0;
    let cleanUps = 0;
    const makePair: MakePair = (first, second) => {
      connectMemory(first, second);
      return () => void (cleanUps += 1);
    };
    const makeCloggedPair: MakePair = (first, second) => {
      clogs += 1;
      const [transport, peer] = connectMemory(first, second);
      peer.pauseReading();
      transport.setWriteBufferLimits({ high: 0 });
      transport.write(Buffer.alloc(200_000));
      return () => void (cleanUps += 1);
    };
    const checks = checkTransport(makePair, makeCloggedPair);
    assert.deepEqual(
      (await runChecks(checks)).filter(({ error }) => error !== null),
      [],
    );
    assert.equal(clogs, checks.filter(({ clogged }) => clogged).length);
    assert.ok(cleanUps >= checks.length);
  });

  it("fails if a pair cannot be clogged", async () => {
    const makePair: MakePair = (first, second) => void connectMemory(first, second, { capacity: 1_000_000_000 });
    const failed = await failures(makePair, /close\(\) waits for a peer/, 30_000);
    assert.match(String(failed[0]?.error), /67108864 bytes were written to a peer that does not read/);
  });

  it("refuses a value that is not a function", () => {
    assert.throws(() => checkTransport(5 as never), { code: "ERR_INVALID_ARG_TYPE", message: /makePair/ });
    assert.throws(() => checkTransport(() => {}, null as never), { code: "ERR_INVALID_ARG_TYPE", message: /makeCloggedPair/ });
  });
});

describe("a check", () => {
  it("ends a hanging check", async () => {
    const [check] = checkTransport(() => new Promise<void>(() => {}), undefined, { timeout: 1 });
    await assert.rejects(check!.run(), { name: "TimeoutError", message: /1 ms/ });
  });

  for (const wrong of [0, -1, 0.5, "1"]) {
    it(`refuses a time-out of ${JSON.stringify(wrong)}`, () => {
      assert.throws(() => checkTransport(() => {}, undefined, { timeout: wrong as number }), /timeout/);
    });
  }
});

describe("runChecks()", () => {
  for (const [wrong, message] of [
    [5n, "checks must be an iterable of checks, not bigint 5n"],
    [null, "checks must be an iterable of checks, not null"],
    [[{ name: "no run()" }], "checks[0].run must be a function, not undefined"],
    [[null], "checks[0].run must be a function, not undefined"],
  ] as const) {
    it(`refuses a wrong value: ${message}`, () =>
      assert.rejects(runChecks(wrong as never), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE", message }));
  }

  it("reports a check that throws like one that rejects", async () => {
    const failure = new Error("on purpose");
    const run = (): never => {
      throw failure;
    };
    assert.deepEqual(await runChecks([{ name: "throws", clogged: false, run }]), [{ name: "throws", error: failure }]);
  });

  const check = (name: string, run: () => Promise<void>): { name: string; clogged: boolean; run: () => Promise<void> } => ({
    name,
    clogged: false,
    run,
  });

  it("reports the result of each check", async () => {
    const failure = new Error("on purpose");
    const results = await runChecks([check("passes", () => Promise.resolve()), check("fails", () => Promise.reject(failure))]);
    assert.deepEqual(results, [
      { name: "passes", error: null },
      { name: "fails", error: failure },
    ]);
  });

  it("passes on the error of a maker", async () => {
    const failure = new Error("no connection");
    const results = await runChecks(checkTransport((_first: Protocol, _second: Protocol) => Promise.reject(failure)));
    assert.ok(results.every(({ error }) => error === failure));
  });
});
