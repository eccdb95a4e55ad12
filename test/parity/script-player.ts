/** Plays the scripts of `scripts.ts` to our reader, and compares with what CPython gave: `judge.py` tells what a transcript is. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type SignalOptions, StreamReader, StreamReaderProtocol, TimeoutError } from "asyncio-streams";
import type { ByteQueue } from "#src/base/byte-queue.js";
import { engineOf } from "#src/streams/base-reader.js";
import { FakeTransport } from "../support/fake-transport.js";
import { microtasks } from "../support/turns.js";
import type { Script, ScriptStep } from "./scripts.js";
import { asHere, type Data, Given, type Outcome, showBytes, showError, toBytes } from "./transcript.js";

/** What a step gave: an outcome, that it waits, or that it was left out. */
type Gives = Outcome | "waits" | null;

/** CPython's record of a step: `[gives, ended, left, atEof, exception, paused]`. */
export type Verdict = readonly [
  gives: Gives,
  ended: Outcome | null,
  left: unknown,
  atEof: boolean | null,
  exception: string | null,
  paused: boolean | null,
];

/** A step, played: its outcome, and that of the read that waited if it has ended, with its method. */
interface Played {
  readonly gives: Gives;
  readonly ended: Outcome | null;
  readonly endedMethod: string;
}

type Call = readonly [method: string, argument?: unknown];

/** The read that waits. */
interface Waiting {
  readonly method: string;
  readonly controller: AbortController;
  /** How much of the stream was taken before. */
  readonly takenBefore: number;
  outcome: Outcome | null;
}

/** A time-out that ends a wait as soon as the event loop turns, which it does only in an "expire". */
const SHORT_MS = 1;
/** A time-out that ends no wait. */
const LONG_MS = 60_000;

/** The steps that end a wait. */
type Ender = "cancel" | "expire";

/**
 * Chooses the options of a call: none, a signal, a time-out or both. The calls have a fast path for each. What ends the wait later in the
 * script has to be there.
 */
function optionsOf(step: number, enders: ReadonlySet<Ender>, signal: AbortSignal): SignalOptions | undefined {
  const options = {
    ...((enders.has("cancel") || step % 2 === 1) && { signal }),
    ...(enders.has("expire") ? { timeout: SHORT_MS } : step % 3 === 1 && { timeout: LONG_MS }),
  };
  return Object.keys(options).length === 0 ? undefined : options;
}

/** How often a step lets the reader's promise callbacks run. */
const MICROTASKS = 6;

class Player {
  readonly #limit: number;
  readonly #reader: StreamReader;
  readonly #protocol: StreamReaderProtocol;
  readonly #transport = new FakeTransport();
  #waiting: Waiting | null = null;
  /** The number of the step, and what may end the read that waits in the steps to come. */
  #step = 0;
  #enders: ReadonlySet<Ender> = new Set();

  constructor(limit: number) {
    this.#limit = limit;
    this.#reader = new StreamReader({ limit });
    this.#protocol = new StreamReaderProtocol(this.#reader);
    this.#protocol.connectionMade(this.#transport);
  }

  get #queue(): ByteQueue {
    return engineOf(this.#reader).queue;
  }

  get #paused(): boolean {
    return this.#transport.calls.at(-1) === "pauseReading";
  }

  /** Plays a step. Between two feeds of one turn no promise may run: those give no promise. */
  play([name, ...args]: ScriptStep, skipped: boolean, toCome: readonly ScriptStep[]): Played | Promise<Played> {
    this.#step += 1;
    this.#enders = new Set(toCome.map(([step]) => step).filter((step) => step === "cancel" || step === "expire"));
    const before = this.#waiting;
    const played = (gives: Gives): Played => {
      this.#letGo();
      return { gives, ended: before?.outcome ?? null, endedMethod: before?.method ?? "" };
    };
    if (name === "feed" || name === "feedEof") return played(skipped ? null : this.#act(name, args[0]));
    return this.#playInTurn(name, args, skipped).then(played);
  }

  async #playInTurn(name: string, args: readonly unknown[], skipped: boolean): Promise<Gives> {
    if (name === "cancel" && !skipped) this.#waiting?.controller.abort();
    await microtasks(MICROTASKS);
    this.#letGo();
    if (name === "expire" && !skipped) await this.#expire();
    if (skipped || name === "turn" || name === "cancel" || name === "expire") return null;
    const gives = name === "call" ? await this.#call(args as unknown as Call) : this.#act(name, args[0]);
    await microtasks(MICROTASKS);
    return gives;
  }

  /** Lets the event loop turn until the time-out of the read that waits has ended it. */
  async #expire(): Promise<void> {
    while (this.#waiting !== null && this.#waiting.outcome === null) await delay(SHORT_MS);
  }

  /** Forgets the read that waited, if it has ended. */
  #letGo(): void {
    if (this.#waiting?.outcome) this.#waiting = null;
  }

  /** The steps that wait for nothing. */
  #act(name: string, argument: unknown): Outcome | null {
    try {
      if (name === "feed") this.#protocol.dataReceived(toBytes(argument as Data));
      else if (name === "feedEof") this.#reader.feedEof();
      else if (name === "setException") this.#reader.setException(new Given(argument as string));
      else if (name === "connectionLost") this.#protocol.connectionLost(new Given(argument as string));
      return null;
    } catch (error) {
      return showError(error);
    }
  }

  async #call(call: Call): Promise<Gives> {
    const waiting: Waiting = { method: call[0], controller: new AbortController(), takenBefore: this.#queue.taken, outcome: null };
    const note = (outcome: Outcome): void => {
      waiting.outcome = outcome;
    };
    this.#start(call, waiting.controller.signal).then(
      (bytes) => note({ bytes: showBytes(bytes) }),
      (error: unknown) => note(error instanceof TimeoutError ? { error: "AbortError" } : showError(error)), // CPython: both cancel
    );
    await microtasks(MICROTASKS);
    if (waiting.outcome !== null) return waiting.outcome;
    assert.equal(this.#waiting, null, "two reads wait");
    this.#waiting = waiting;
    return "waits";
  }

  #start([method, argument]: Call, signal: AbortSignal): Promise<Buffer> {
    const reader = this.#reader;
    const options = optionsOf(this.#step, this.#enders, signal);
    if (method === "readline") return reader.readline(options);
    if (method === "next") return this.#next(options);
    if (method === "readlines") return reader.readlines({ ...options, keepSeparator: true }).then((lines) => Buffer.concat(lines));
    if (method === "read") return reader.read(argument as number, options);
    if (method === "readexactly") return reader.readexactly(argument as number, options);
    const separator = argument as string | string[];
    return reader.readuntil(typeof separator === "string" ? toBytes(separator) : separator.map(toBytes), options);
  }

  /** The next line of a loop: of bytes, or of text in an encoding that has every byte. */
  async #next(options: SignalOptions | undefined): Promise<Buffer> {
    const reader = this.#reader;
    const form = { ...options, keepSeparator: true };
    if (this.#step % 4 < 2) return asBytes(await reader.lines({ ...form, encoding: "latin1" }).next());
    return asBytes(await (options === undefined ? reader[Symbol.asyncIterator]() : reader.lines(form)).next());
  }

  /** Whether the read that waited has taken its line in this turn, but its promise has not run. CPython takes the line later. */
  get #hasTakenEarly(): boolean {
    return this.#waiting !== null && this.#waiting.outcome === null && this.#queue.taken > this.#waiting.takenBefore;
  }

  /** The fields after a step, as the judge has them; what it cannot tell is left out. */
  fields([, , left, atEof, , paused]: Verdict): unknown[] {
    const queue = this.#queue;
    if (this.#hasTakenEarly) return [left, atEof, this.#reader.exception()?.message ?? null, paused];
    return [
      showBytes(queue.length === 0 ? Buffer.alloc(0) : queue.copy(0, queue.length)),
      atEof === null ? null : this.#reader.atEof(),
      this.#reader.exception()?.message ?? null,
      paused === null ? null : this.#paused,
    ];
  }

  /** The rule of pausing, which holds whatever CPython does. */
  checkPausing(): void {
    if (this.#waiting !== null || this.#reader.exception() !== null) return;
    const { length } = this.#queue;
    if (length > 2 * this.#limit) assert.equal(this.#paused, true, "not paused above twice the limit");
    if (length <= this.#limit) assert.equal(this.#paused, false, "paused at the limit");
  }

  /** What is left can be read. */
  async end(): Promise<void> {
    this.#waiting?.controller.abort();
    await microtasks(MICROTASKS);
    this.#letGo();
    if (this.#waiting !== null) {
      // It has no signal.
      void this.#reader.cancel();
      await microtasks(MICROTASKS);
      return;
    }
    if (this.#reader.exception() !== null) return;
    const { length } = this.#queue;
    const left = length === 0 ? Buffer.alloc(0) : this.#queue.copy(0, length);
    this.#reader.feedEof();
    assert.ok((await this.#reader.read()).equals(left));
  }
}

/** The line of a step of a loop; none at its end. */
function asBytes({ done, value }: IteratorResult<string | Buffer, undefined>): Buffer {
  if (done === true) return Buffer.alloc(0);
  return typeof value === "string" ? Buffer.from(value, "latin1") : value;
}

/** Plays a script to our reader; throws an `AssertionError` where it goes another way than in CPython. */
export async function compare(script: Script, verdicts: readonly Verdict[]): Promise<void> {
  const player = new Player(script.limit);
  for (const [index, step] of script.steps.entries()) {
    const verdict = verdicts[index] as Verdict;
    const [gives, ended, ...fields] = verdict;
    const skipped = gives !== null && typeof gives === "object" && "skipped" in gives;
    const playing = player.play(step, skipped, script.steps.slice(index + 1));
    const played = playing instanceof Promise ? await playing : playing;
    assert.deepEqual(
      [played.gives, played.ended, ...player.fields(verdict)],
      [
        skipped ? null : gives !== null && gives !== "waits" ? asHere(gives, String(step[0] === "call" ? step[1] : step[0])) : gives,
        ended === null ? null : asHere(ended, played.endedMethod),
        ...fields,
      ],
      `step ${index}, ${JSON.stringify(step)}`,
    );
    player.checkPausing();
  }
  await player.end();
}
