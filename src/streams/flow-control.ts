/**
 * `FlowControl`: the calls of a protocol that concern its writer. Python's `FlowControlMixin`. Base class of `StreamReaderProtocol`.
 *
 * The state is in a separate object (`writer-flow.ts`), which only the files of this library reach, through `flowOf()`. So a subclass of
 * the program may have members of any name beside those of `Protocol`.
 */
import { WriterFlow } from "./writer-flow.js";

/** Returns the state of a protocol's writer, for the other files of this library. */
export let flowOf: (protocol: FlowControl) => WriterFlow;

/** A protocol that a `StreamWriter` can use. */
export class FlowControl {
  static {
    flowOf = (protocol) => protocol.#flow;
  }

  readonly #flow: WriterFlow;

  /** @internal */
  constructor(flow: WriterFlow = new WriterFlow()) {
    this.#flow = flow;
  }

  /** Makes `drain()` wait. */
  pauseWriting(): void {
    this.#flow.pauseWriting();
  }

  /** Resolves all waiting `drain()` calls. */
  resumeWriting(): void {
    this.#flow.resumeWriting();
  }

  /**
   * Ends every wait. `error` is what ended the connection, `null` after an orderly end.
   *
   * CPython: a waiting `drain()` returns normally if there is no error. Here it rejects, because the data it waited for was dropped.
   */
  connectionLost(error: Error | null): void {
    this.#flow.connectionLost(error);
  }

  /**
   * Marks writing as failed.
   *
   * @internal
   */
  "asyncio-streams:writingFailed"(error: Error, muchLater: boolean): void {
    this.#flow["asyncio-streams:writingFailed"](error, muchLater);
  }
}
