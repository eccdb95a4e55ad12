import "../support/leak-guard.js";
import "./seed.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader, StreamReaderProtocol } from "asyncio-streams";
import * as fc from "fast-check";
import { FakeTransport } from "../support/fake-transport.js";
import { microtasks } from "../support/turns.js";
import { type WatchedController, watchedController } from "../support/watched-signal.js";
import { anyCall, anyText, perform } from "./calls.js";
import { type Call, ModelReader } from "./reader-model.js";

/** What can happen to a reader. What follows a step without a `turn` between them happens in the same turn of the event loop. */
type Step =
  | { readonly step: "feed"; readonly text: string }
  | { readonly step: "call"; readonly call: Call }
  | { readonly step: "end" | "lose" | "fail" | "abort" | "turn" };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ step: fc.constant("feed" as const), text: anyText }) },
  { weight: 8, arbitrary: fc.record({ step: fc.constant("call" as const), call: anyCall }) },
  { weight: 6, arbitrary: fc.record({ step: fc.constant("turn" as const) }) },
  { weight: 2, arbitrary: fc.record({ step: fc.constant("abort" as const) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constantFrom("end" as const, "lose" as const, "fail" as const) }) },
);

/** A call in both readers: what the model says, and the real one. `undefined` while it waits. */
interface Made {
  readonly call: Call;
  readonly controller: WatchedController;
  expected: string | undefined;
  actual: string | undefined;
}

/** How often a turn lets the reader's promise callbacks run. */
const MICROTASKS = 8;

/** A real reader and the model, side by side. */
class SideBySide {
  readonly #model: ModelReader;
  readonly #reader: StreamReader;
  readonly #protocol: StreamReaderProtocol;
  readonly #made: Made[] = [];
  #waiting: Made | null = null;

  constructor(limit: number) {
    this.#model = new ModelReader(limit);
    this.#reader = new StreamReader({ limit });
    this.#protocol = new StreamReaderProtocol(this.#reader);
    this.#protocol.connectionMade(new FakeTransport());
  }

  /** Whether a call waits. */
  get waiting(): boolean {
    return this.#waiting !== null;
  }

  /** Lets the call that waits in the model look at what has come. */
  #retry(): void {
    if (this.#waiting === null) return;
    this.#waiting.expected = this.#model.attempt(this.#waiting.call);
    if (this.#waiting.expected !== undefined) this.#waiting = null;
  }

  async turn(): Promise<void> {
    this.#retry();
    await microtasks(MICROTASKS);
    assert.deepEqual(
      this.#made.map(({ actual }) => actual),
      this.#made.map(({ expected }) => expected),
    );
  }

  feed(text: string): void {
    if (this.#model.ended !== "") return;
    this.#model.buffer = Buffer.concat([this.#model.buffer, Buffer.from(text)]);
    this.#protocol.dataReceived(Buffer.from(text));
  }

  end(ended: "eof" | "lost"): void {
    if (this.#model.ended !== "") return;
    this.#model.ended = ended;
    if (ended === "eof") this.#protocol.eofReceived();
    else this.#protocol.connectionLost(new Error("lost"));
  }

  fail(): void {
    this.#retry();
    this.#model.exception = true;
    this.#retry();
    this.#reader.setException(new Error("set"));
  }

  abort(): void {
    if (this.#waiting === null) return;
    this.#waiting.expected = "AbortError";
    this.#waiting.controller.abort();
    this.#waiting = null;
  }

  call(call: Call): void {
    this.#retry();
    const made: Made = { call, controller: watchedController(), expected: this.#expected(call), actual: undefined };
    if (made.expected === undefined) this.#waiting = made;
    this.#made.push(made);
    const note = (outcome: string): void => {
      made.actual = outcome;
    };
    void perform(this.#reader, call, { signal: made.controller.signal }).then(note);
  }

  #expected(call: Call): string | undefined {
    // What waits for EOF has everything spoken for; nothing at all can still be had.
    const spokenFor = this.#waiting?.call.name === "read" && this.#waiting.call.n < 0 && !("n" in call && call.n === 0);
    const answer = spokenFor && !this.#model.exception ? undefined : this.#model.attempt(call);
    return answer ?? (this.#waiting === null ? undefined : "ConcurrentReadError");
  }

  /** Nothing more and nothing less is left than in the model, and nothing on the signals. */
  async finish(): Promise<void> {
    await this.turn();
    this.abort();
    await this.turn();
    for (const { controller } of this.#made) assert.equal(controller.listeners(), 0);
    if (this.#model.exception) return;
    this.end("eof");
    const { buffer } = this.#model;
    const left = await this.#reader.read(this.#model.ended === "lost" ? buffer.length : -1);
    assert.equal(left.toString("latin1"), buffer.toString("latin1"));
  }
}

/** Plays the steps on both, and compares them after each turn. */
async function play(limit: number, steps: readonly Step[], concurrent: boolean): Promise<void> {
  const both = new SideBySide(limit);
  for (const one of steps) {
    if (one.step === "turn") await both.turn();
    else if (one.step === "feed") both.feed(one.text);
    else if (one.step === "end") both.end("eof");
    else if (one.step === "lose") both.end("lost");
    else if (one.step === "fail") both.fail();
    else if (one.step === "abort") both.abort();
    else if (one.step === "call" && (concurrent || !both.waiting)) both.call(one.call);
  }
  await both.finish();
}

describe("a StreamReader and its model", () => {
  const limits = fc.constantFrom(1, 3, 6, 1105, 65_536);

  it("give the same for any feeds, calls, aborts and ends (property)", async () => {
    await fc.assert(
      fc.asyncProperty(limits, fc.array(anyStep, { maxLength: 40, size: "max" }), (limit, steps) => play(limit, steps, false)),
      { numRuns: 400 },
    );
  });

  it("give the same with reads beside one that waits (property)", async () => {
    await fc.assert(
      fc.asyncProperty(limits, fc.array(anyStep, { maxLength: 40, size: "max" }), (limit, steps) => play(limit, steps, true)),
      { numRuns: 400 },
    );
  });

  it("give the same when a read takes bytes that a waiting search has passed", async () => {
    await play(
      65_536,
      [
        { step: "feed", text: "aaaaaaaa" },
        { step: "call", call: { name: "readline" } },
        { step: "turn" },
        { step: "call", call: { name: "read", n: 7 } },
        { step: "feed", text: "a\n" },
        { step: "turn" },
      ],
      true,
    );
  });
});
