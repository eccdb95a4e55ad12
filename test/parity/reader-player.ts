/** Plays the scripts of `reader_cases.py` to our reader, writer and protocol; the twin of `record.py`. */
import { StreamReader, StreamReaderProtocol, StreamWriter } from "asyncio-streams";
import { FakeTransport } from "../support/fake-transport.js";
import { turns } from "../support/turns.js";
import { Started } from "./started.js";
import { type Data, Given, type Outcome, type Step, showBytes, showError, toBytes } from "./transcript.js";

/** A recorded case; its meaning is told in `record.py`. */
export interface ReaderCase {
  readonly name: string;
  readonly limit: number;
  /** Set if there is no reader: its constructor's error. */
  readonly gives?: Outcome;
  readonly steps?: readonly Step[];
  readonly remains?: unknown;
  readonly atEof?: boolean;
  readonly pausing?: "calls" | "state";
  readonly paused?: boolean;
}

type Call = readonly [string, ...unknown[]];

/** Plays a case; `hidden` says that what remains in the buffer cannot be read. */
export async function playCase(limit: number, script: readonly Call[], hidden: boolean): Promise<Omit<ReaderCase, "name" | "pausing">> {
  let player: Player;
  try {
    player = new Player(limit);
  } catch (error) {
    return { limit, gives: showError(error) };
  }
  const steps: Step[] = [];
  for (const call of script) {
    // Not awaited where there is nothing to wait for: between two feeds of one turn no promise may run.
    const step = player.play(call);
    steps.push(step instanceof Promise ? await step : step);
  }
  return { limit, steps, ...(await player.end(hidden)) };
}

class Player {
  readonly #reader: StreamReader;
  readonly #protocol: StreamReaderProtocol;
  readonly #writer: StreamWriter;
  readonly #transport = new FakeTransport();
  readonly #started = new Started<Outcome | undefined>();

  constructor(limit: number) {
    this.#reader = new StreamReader({ limit });
    this.#protocol = new StreamReaderProtocol(this.#reader);
    this.#protocol.connectionMade(this.#transport);
    this.#writer = new StreamWriter(this.#transport, this.#protocol, this.#reader);
  }

  play(call: Call): Step | Promise<Step> {
    const before = this.#transport.calls.length;
    const note = (gives: Outcome | undefined): Step => {
      const transport = this.#transport.calls.slice(before);
      return { do: call, ...(gives === undefined ? {} : { gives }), ...(transport.length === 0 ? {} : { transport }) };
    };
    try {
      const gives = this.#step(...call);
      return gives instanceof Promise ? gives.then(note) : note(gives);
    } catch (error) {
      return note(showError(error));
    }
  }

  /** The state at the end. Last of all empties the reader. */
  async end(hidden: boolean): Promise<{ remains: unknown; atEof: boolean; paused: boolean }> {
    const atEof = this.#reader.atEof();
    const paused = this.#transport.calls.at(-1) === "pauseReading";
    if (hidden) return { remains: null, atEof, paused };
    this.#reader.feedEof();
    return { remains: showBytes(await this.#reader.read()), atEof, paused };
  }

  /** Performs a step; what it gives, or a promise of it where there is something to wait for. */
  #step(name: string, ...args: readonly unknown[]): Outcome | undefined | Promise<Outcome | undefined> {
    const startedName = args[0] as string;
    switch (name) {
      case "start":
        this.#started.start(startedName, (signal) => this.#call(args[1] as Call, signal));
        return undefined;
      case "await":
        return this.#started.outcome(startedName);
      case "settled":
        return turns().then(() => ({ value: this.#started.hasEnded(startedName) }));
      case "cancel":
        this.#started.cancel(startedName);
        return turns() as Promise<undefined>;
      case "turn":
        return turns() as Promise<undefined>;
      case "lines":
        return this.#lines(args[0] as number | null);
      default: {
        const act = this.#acts[name];
        if (act === undefined) return this.#call([name, ...args]);
        const value = act(args[0] as never);
        return value === undefined ? undefined : { value };
      }
    }
  }

  /** The steps that wait for nothing, and what they tell. */
  readonly #acts: Readonly<Record<string, (argument: never) => unknown>> = {
    feed: (data: Data) => this.#reader.feedData(toBytes(data)),
    feedEof: () => this.#reader.feedEof(),
    setException: (message: string) => this.#reader.setException(new Given(message)),
    setTransport: () => this.#reader.setTransport(new FakeTransport()),
    exception: () => this.#reader.exception()?.message ?? null,
    atEof: () => this.#reader.atEof(),
    dataReceived: (data: Data) => this.#protocol.dataReceived(toBytes(data)),
    eofReceived: () => this.#protocol.eofReceived(),
    connectionLost: (message: string | null) => this.#protocol.connectionLost(message === null ? null : new Given(message)),
    pauseWriting: () => this.#protocol.pauseWriting(),
    resumeWriting: () => this.#protocol.resumeWriting(),
  };

  async #call([method, argument]: Call, signal?: AbortSignal): Promise<Outcome | undefined> {
    try {
      const act = this.#calls[method];
      if (act === undefined) throw new Error(`no such step: ${method}`);
      const bytes = await act(argument as never, { signal });
      return bytes instanceof Uint8Array ? { bytes: showBytes(bytes) } : undefined;
    } catch (error) {
      return showError(error);
    }
  }

  /** The steps that may wait. */
  readonly #calls: Readonly<Record<string, (argument: never, options: { signal: AbortSignal | undefined }) => Promise<unknown>>> = {
    read: (n: number, options) => this.#reader.read(n, options),
    readline: (_, options) => this.#reader.readline(options),
    readexactly: (n: number, options) => this.#reader.readexactly(n, options),
    readuntil: (separator: string | string[], options) =>
      this.#reader.readuntil(typeof separator === "string" ? toBytes(separator) : separator.map(toBytes), options),
    drain: (_, options) => this.#writer.drain(options),
    waitClosed: (_, options) => this.#writer.waitClosed(options),
  };

  async #lines(most: number | null): Promise<Outcome> {
    const lines: unknown[] = [];
    try {
      for await (const line of this.#reader) {
        lines.push(showBytes(line));
        if (lines.length === most) break;
      }
      return { lines };
    } catch (error) {
      return { lines, ...showError(error) };
    }
  }
}
