/**
 * `debugMode`: the checks of `ASYNCIO_STREAMS_DEBUG=1`; `null` if they are off. Python's `PYTHONASYNCIODEBUG=1`.
 *
 * Theory of operation
 *
 * The variable is read once, when the library is loaded. If it is not set, `debugMode` is the constant `null`: nothing is registered, and
 * no stack is captured.
 *
 * Dropped resources. The event loop holds an open connection, a listening server and a running process, so the garbage collector never
 * collects those. It collects what the *program* holds: the reader and the writer, the `Server`, the `Process`. So these must not be
 * reachable from the event loop. `watch()` gives a resource a token. Each holder (the reader, the writer, a loop over lines, an adapter)
 * keeps the token alive, and when the last one has been collected, the program can no longer close the resource. A resource for which a
 * call of the program still waits is in use, and is looked at again after the next garbage collection.
 *
 * Slow callbacks. Each call of a protocol is timed. Most of the code that uses streams runs later, in promise reactions. So a span begins
 * with an event of a connection, and ends when the reactions that follow the event have run.
 *
 * Undrained writes. A pause of writing begins inside the `write()` that fills the buffer, so the stack there names the caller.
 */
import { emitWarning } from "./errors.js";
import { monotonicMs, nextTick, queueMicrotask, setTimeout } from "./scheduling.js";

const VARIABLE = "ASYNCIO_STREAMS_DEBUG";

/** Code that runs for longer, in milliseconds, is reported. As `loop.slow_callback_duration`. */
const SLOW_CALLBACK_MS = 100;

/** The methods that the event loop causes to be called. The others are called by code of the program as well. */
const EVENTS: ReadonlySet<string> = new Set(["connectionMade", "dataReceived", "resumeWriting", "eofReceived", "connectionLost"]);

/** How long a program may take to call `drain()` after a `write()` that has filled the buffer, in milliseconds. */
const DRAIN_PATIENCE_MS = 1_000;

/** The number of stack frames to capture; most of those of a call are the library's, which are left out. */
const FRAMES = 50;

/**
 * Returns what the frames of the runtime and of this library contain: its folder, compiled or by a source map. A bundle has no folder of
 * its own: as CommonJS it has no URL either, and on Cloudflare Workers a URL that is only a name.
 */
function otherFrames(): readonly string[] {
  const { url } = import.meta as { readonly url?: string };
  if (url?.startsWith("file:") !== true) return RUNTIME_FRAMES;
  const library = decodeURIComponent(new URL("..", url).pathname);
  return [library, library.replace(/\/dist\/$/, "/src/"), ...RUNTIME_FRAMES];
}

const RUNTIME_FRAMES: readonly string[] = ["node:internal/", "ext:core/"];

/** Something that the program has opened and must close. Must not refer to what the program holds of it. */
export interface Resource {
  /** Names it, such as `the connection to "/run/app.sock"`. */
  describe(): string;
  isClosed(): boolean;
  /** Whether a call of the program waits for it. */
  isInUse(): boolean;
  close(): void;
}

/** A resource, and the sentence that says where it comes from. */
interface Watched {
  readonly resource: Resource;
  readonly origin: string;
}

/** What is known about a protocol. */
interface Facts {
  /** Names the code that its events run. */
  readonly code?: string | (() => string);
  /** The sentence that says where its connection, or the server of the connection, comes from. */
  readonly origin?: string;
}

/** A call of a protocol. */
interface ProtocolCall {
  readonly protocol: object;
  readonly method: string;
}

class DebugMode {
  /** Frames that are left out of a stack. */
  readonly #otherFrames: readonly string[] = otherFrames();
  readonly #registry: FinalizationRegistry<Watched> = new FinalizationRegistry((watched) => this.#onDropped(watched));
  /** The tokens that holders keep alive. */
  readonly #tokens: WeakMap<object, object> = new WeakMap();
  /** The tokens of objects that the event loop holds as well. */
  readonly #weakTokens: WeakMap<object, WeakRef<object>> = new WeakMap();
  readonly #facts: WeakMap<object, Facts> = new WeakMap();
  /** Protocols whose writing was paused, and for which `drain()` has not been called since. */
  readonly #undrained: WeakSet<object> = new WeakSet();
  /** Number of protocol calls in progress; they may be nested. */
  #depth = 0;
  #outermost: ProtocolCall | null = null;
  #enteredAt = 0;
  #span: { readonly begunAt: number; readonly calls: ProtocolCall[] } | null = null;

  // ---- origins -----------------------------------------------------------------------------------------------------------------

  /** Returns a sentence that names the caller of the library: what was done, and the stack without the frames of the library. */
  origin(what: string): string {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = FRAMES;
    const here: { readonly stack?: string } = {};
    Error.captureStackTrace(here);
    const lines = String(here.stack).split("\n").slice(1);
    Error.stackTraceLimit = stackTraceLimit;
    const program = lines.filter((line) => !this.#otherFrames.some((part) => line.includes(part)));
    return `${what}:\n${(program.length > 0 ? program : lines).join("\n")}`;
  }

  /** Adds facts about a protocol. Facts that are known already stay. */
  note(protocol: object, facts: Facts): void {
    this.#facts.set(protocol, { ...facts, ...this.#facts.get(protocol) });
  }

  /** Makes a factory of protocols that notes the origin of each. */
  noting<P extends object>(factory: () => P, origin: string = ""): () => P {
    return () => {
      const protocol = factory();
      if (typeof protocol === "object") this.note(protocol, { origin }); // another value is refused later
      return protocol;
    };
  }

  originOf(protocol: object): string | undefined {
    return this.#facts.get(protocol)?.origin;
  }

  // ---- dropped resources -------------------------------------------------------------------------------------------------------

  /**
   * Watches a resource.
   *
   * @param holders what the program holds of it
   * @param engines what the holders share with the event loop: `hold()` makes more holders of them
   */
  watch(resource: Resource, origin: string, holders: readonly (object | null)[], engines: readonly (object | null)[] = []): void {
    const token = {};
    for (const holder of holders) if (holder !== null) this.#tokens.set(holder, token);
    for (const engine of engines) if (engine !== null) this.#weakTokens.set(engine, new WeakRef(token));
    this.#registry.register(token, { resource, origin });
  }

  /** Makes `holder`, such as a loop over lines, a holder of the resource that `engine` belongs to. */
  hold(holder: object, engine: object): void {
    const token = this.#weakTokens.get(engine)?.deref();
    if (token !== undefined) this.#tokens.set(holder, token);
  }

  #onDropped(watched: Watched): void {
    const { resource, origin } = watched;
    if (resource.isClosed()) return;
    if (resource.isInUse()) {
      this.#registry.register({}, watched); // an object that the next garbage collection collects
      return;
    }
    emitWarning(`${resource.describe()} was not closed before the program dropped it. It is closed now. ${origin}`, {
      type: "ResourceWarning",
      code: "ASYNCIO_STREAMS_UNCLOSED",
    });
    resource.close();
  }

  // ---- slow callbacks ----------------------------------------------------------------------------------------------------------

  /** A transport calls a method of its protocol. `leave()` must follow. */
  enter(protocol: object, method: string): void {
    this.#depth += 1;
    if (this.#depth === 1) {
      this.#outermost = { protocol, method };
      this.#enteredAt = monotonicMs();
    }
    if (!EVENTS.has(method)) return;
    if (this.#span === null) {
      this.#span = { begunAt: this.#enteredAt, calls: [] };
      queueMicrotask(() => nextTick(() => this.#endSpan())); // after all reactions
    }
    this.#span.calls.push({ protocol, method });
  }

  /** The method has returned. */
  leave(): void {
    this.#depth -= 1;
    if (this.#depth > 0 || this.#outermost === null) return;
    if (!this.#reportIfSlow(this.#enteredAt, [this.#outermost])) return;
    if (this.#span !== null) this.#span = { begunAt: monotonicMs(), calls: [] };
  }

  #endSpan(): void {
    const span = this.#span;
    this.#span = null;
    if (span !== null) this.#reportIfSlow(span.begunAt, span.calls);
  }

  /** Reports the calls if they have taken too long. Which of several calls blocked the loop is unknown: all of them are named. */
  #reportIfSlow(begunAt: number, calls: readonly ProtocolCall[]): boolean {
    const tookMs = monotonicMs() - begunAt;
    if (tookMs < SLOW_CALLBACK_MS || calls.length === 0) return false;
    const names = [...new Set(calls.map((call) => this.#nameOf(call)))].join(", or ");
    const origins = [...new Set(calls.flatMap(({ protocol }) => this.originOf(protocol) ?? []))].join("\n");
    emitWarning(`${names} blocked the event loop for ${Math.round(tookMs)} ms. ${origins}`, {
      type: "SlowCallbackWarning",
      code: "ASYNCIO_STREAMS_SLOW_CALLBACK",
    });
    return true;
  }

  #nameOf({ protocol, method }: ProtocolCall): string {
    const code = this.#facts.get(protocol)?.code ?? `${protocol.constructor.name}.${method}()`;
    return typeof code === "string" ? code : code();
  }

  // ---- undrained writes --------------------------------------------------------------------------------------------------------

  /**
   * The write buffer of a writer has exceeded its high-water mark.
   *
   * @param isOver whether the connection has ended
   */
  paused(flow: object, isOver: () => boolean): void {
    if (this.#undrained.has(flow)) return;
    this.#undrained.add(flow);
    const origin = this.origin("The call that filled the buffer was");
    const timer = setTimeout(() => {
      if (!this.#undrained.has(flow) || isOver()) return;
      emitWarning(`a write() exceeded the high-water mark, and the program has not called drain() since. ${origin}`, {
        type: "UndrainedWriteWarning",
        code: "ASYNCIO_STREAMS_UNDRAINED_WRITE",
      });
    }, DRAIN_PATIENCE_MS);
    timer.unref();
  }

  /** The program has called `drain()`, or another call that takes care of the written data. */
  attended(flow: object): void {
    this.#undrained.delete(flow);
  }
}

function isOn(): boolean {
  type Permissions = { querySync(descriptor: { readonly name: string; readonly variable: string }): { readonly state: string } };
  const { Deno } = globalThis as { readonly Deno?: { readonly permissions: Permissions } };
  // Deno: reading a variable without the permission throws, or asks the user.
  if (Deno !== undefined && Deno.permissions.querySync({ name: "env", variable: VARIABLE }).state !== "granted") return false;
  const value = process.env[VARIABLE] ?? "";
  return value !== "" && value !== "0";
}

/** The checks, or `null` if they are off. */
export const debugMode: DebugMode | null = isOn() ? new DebugMode() : null;
