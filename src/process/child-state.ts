/**
 * `ChildState`: whether a child process has ended, and how; and ending it. The part of a `Process` that the event loop refers to, so that
 * the debug mode can find a `Process` that the program has dropped (see `base/debug-mode.ts`).
 */
import { constants } from "node:os";
import { checkInteger, invalidType } from "../base/arguments.js";
import type { Resource } from "../base/debug-mode.js";
import { callForeign, ignore } from "../base/errors.js";
import { type Cancellation, cancellationOf, forgetAborted, onceAborted, Waiters } from "../base/waiting.js";
import type { Transport } from "../contracts/connection.js";
import { engineOf } from "../streams/base-reader.js";
import { type FlowControl, flowOf } from "../streams/flow-control.js";
import type { StreamReader } from "../streams/reader.js";
import type { StreamWriter } from "../streams/writer.js";
import type { SubprocessConfig } from "./options.js";
import type { RunningChild } from "./start-child.js";

/** How long a process may take to end after SIGKILL, in milliseconds. One that the system holds in a call may take for ever. */
const KILL_PATIENCE_MS = 5000;

/** The highest number of a signal. */
const MAX_SIGNAL = 64;

/**
 * A signal was sent to a process that has ended. Its process ID may belong to another process by now. Python's `ProcessLookupError`.
 */
export class ProcessLookupError extends Error {
  static {
    Object.defineProperty(ProcessLookupError.prototype, "name", { value: "ProcessLookupError", configurable: true, writable: true });
  }

  /** Always `"ESRCH"`. */
  readonly code = "ESRCH";
}

export class ChildState implements Resource {
  readonly pid: number;
  readonly #graceMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #exited: Waiters = new Waiters();
  readonly #input: Transport | null;
  readonly #outputs: ReturnType<typeof engineOf>[];
  #returncode: number | null = null;

  constructor(child: RunningChild, { graceMs, signal }: SubprocessConfig, stdin: StreamWriter | null, outputs: (StreamReader | null)[]) {
    this.pid = child.pid;
    this.#graceMs = graceMs;
    this.#signal = signal;
    this.#input = stdin?.transport ?? null;
    this.#outputs = outputs.filter((reader) => reader !== null).map((reader) => engineOf(reader));
    const onAbort = (): void => void this.end().catch(ignore);
    child.once("exit", (code, signalName) => {
      forgetAborted(signal, onAbort);
      this.#returncode = code ?? -constants.signals[signalName as NodeJS.Signals];
      this.#exited.wake();
    });
    // CPython: closes it when the process and its outputs have ended.
    child.once("close", () => this.#input?.close());
    onceAborted(signal, onAbort);
  }

  get returncode(): number | null {
    return this.#returncode;
  }

  /** Waits until the process has ended; returns the `returncode`. */
  async wait(end: Cancellation | undefined): Promise<number> {
    if (this.#returncode === null) await this.#exited.wait(end);
    return this.#returncode as unknown as number;
  }

  sendSignal(signal: NodeJS.Signals | number): void {
    if (typeof signal === "number") checkInteger("signal", signal, 0, MAX_SIGNAL);
    else if (typeof signal !== "string") throw invalidType("signal", "the name or number of a signal", signal);
    if (this.#returncode !== null) throw new ProcessLookupError(`the process ${this.pid} has ended`);
    // Deno: `child.kill()` sends one signal at most, and makes up the `signalCode` of the end.
    process.kill(this.pid, signal);
  }

  /** Ends the process: sends SIGTERM, and SIGKILL after `graceMs`. A signal that cannot be sent is treated like one that is ignored. */
  async end(): Promise<void> {
    callForeign(() => this.sendSignal("SIGTERM"), ignore);
    await this.wait(cancellationOf({ timeout: this.#graceMs })).catch(() => {
      callForeign(() => this.sendSignal("SIGKILL"), ignore);
      return this.wait(cancellationOf({ timeout: KILL_PATIENCE_MS }));
    });
  }

  // ---- for the debug mode ------------------------------------------------------------------------------------------------------

  describe(): string {
    return `the process ${this.pid}`;
  }

  isClosed(): boolean {
    return this.#returncode !== null;
  }

  /** A process with a `signal` counts as in use, because the signal can end it. */
  isInUse(): boolean {
    if (this.#signal !== undefined || this.#exited.isWaitedFor) return true;
    const protocol = this.#input?.getProtocol() as unknown as FlowControl | undefined;
    return (protocol !== undefined && flowOf(protocol).isInUse) || this.#outputs.some((engine) => engine.isInUse);
  }

  /** Ends the process and releases its pipes. */
  close(): void {
    this.#input?.abort();
    for (const engine of this.#outputs) void engine.cancel(undefined);
    this.end().catch(ignore);
  }
}
