/**
 * `SinkTransport`: a transport that writes to a Writable of Node or a `WritableStream`. Implements `StreamWriter.from()`.
 *
 * The sink does the buffering. The bytes that it has not processed yet count as the write buffer, with the water marks of any
 * transport. Nothing is ever received. `connectionLost()` is called in a microtask. The states are those of `TransportCore`.
 *
 * A sink may be over before it emits an event, such as the standard input of a child that has just exited. The transport therefore
 * checks its state whenever that matters. A sink that is over counts as a lost connection.
 */

import { finished, type Writable } from "node:stream";
import { checkError, invalidType, toBytes, toPieces } from "../base/arguments.js";
import type { NonSharedUint8Array } from "../base/bytes.js";
import { asError, InvalidStateError } from "../base/errors.js";
import { HIGH_WATER_BYTES } from "../base/limits.js";
import { ownCopy } from "../base/memory.js";
import { DONE } from "../base/waiting.js";
import type { Transport, WriteData } from "../contracts/connection.js";
import { TransportCore } from "../core/transport-core.js";
import { FlowControl } from "./flow-control.js";

/** The common interface of both kinds of sink. */
interface Sink {
  write(bytes: NonSharedUint8Array): Promise<void>;
  end(): Promise<void>;
  abort(reason: Error | null): void;
  /** Whether the sink is over, even if `over` has not settled yet, and the error that ended it, if there is one. */
  look(): { readonly isOver: boolean; readonly error: unknown };
  /** Settles when the sink is over: rejects with its error, if there is one. */
  readonly over: Promise<void>;
}

/** The protocol of a connection on which nothing is received. */
class SinkFlow extends FlowControl {
  dataReceived(): void {}
  connectionMade(): void {}
  eofReceived(): void {}
}

export class SinkTransport extends TransportCore implements Transport {
  /** The protocol of the writer. */
  readonly flow: FlowControl;
  readonly #sink: Sink;
  #pendingBytes = 0;
  /** Whether written data was dropped before the sink processed it. */
  #dropped = false;
  #ending: Promise<void> | null = null;

  constructor(sink: Writable | WritableStream<NonSharedUint8Array>) {
    const flow = new SinkFlow();
    super(flow, HIGH_WATER_BYTES);
    this.flow = flow;
    this.#sink = sinkOf(sink);
    this.#sink.over.then(
      // After writeEof() the connection stays open until it is closed, as with other transports.
      () => this.#ending === null && this.#break(null),
      (error: unknown) => this.#break(error),
    );
  }

  write(data: WriteData): void {
    const bytes = toBytes("data", data);
    this.#look();
    if (this.#ending !== null && this.state === "open") throw new InvalidStateError("cannot write() after writeEof()");
    if (bytes.length === 0) return;
    if (this.state !== "open") {
      this.#dropped = true;
      return;
    }
    const { length } = bytes;
    this.#pendingBytes += length;
    // A copy, because both the sink and the program may reuse the memory.
    this.#sink.write(ownCopy(bytes)).then(
      () => this.#onWritten(length),
      (error: unknown) => this.#break(error),
    );
    this.regulate();
  }

  writelines(list: Iterable<WriteData>): void {
    for (const piece of toPieces(list)) this.write(piece);
  }

  #onWritten(length: number): void {
    this.#pendingBytes -= length;
    if (this.state !== "open" && this.state !== "closing") return;
    if (this.#pendingBytes === 0) this.wakeFlushed();
    this.regulate();
  }

  /** No data is held back; only checks the sink. */
  protected override flush(): void {
    this.#look();
  }

  protected override get dropped(): boolean {
    return this.#dropped;
  }

  getWriteBufferSize(): number {
    return this.state === "lost" ? 0 : this.#pendingBytes;
  }

  canWriteEof(): boolean {
    return true;
  }

  writeEof(): void {
    if (this.state === "open") this.#end().catch(() => {}); // `over` reports the same error
  }

  #end(): Promise<void> {
    return (this.#ending ??= this.#sink.end());
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  close(): void {
    this.#look();
    if (!this.moveTo("closing")) return;
    this.#end().then(
      () => this.#break(null),
      (error: unknown) => this.#break(error),
    );
  }

  abort(reason?: Error): void {
    if (reason !== undefined) checkError("reason", reason);
    if (this.state === "lost") return;
    let error: unknown = reason ?? null;
    try {
      this.#sink.abort(reason ?? null);
    } catch (thrown) {
      error ??= thrown; // a custom sink may throw
    }
    this.#break(error);
  }

  override isClosing(): boolean {
    this.#look();
    return super.isClosing();
  }

  /** Checks whether the sink is over. */
  #look(): void {
    if (this.state !== "open" || this.#ending !== null) return;
    const { isOver, error } = this.#sink.look();
    if (isOver) this.#break(error);
  }

  #break(reason: unknown): void {
    if (this.state === "lost") return;
    if (this.#pendingBytes > 0) this.#dropped = true;
    if (reason !== null) this.breakOff(asError(reason, "the sink failed with"));
    this.loseSoon();
  }

  protected override defer(callback: () => void): void {
    void DONE.then(callback);
  }

  protected override onLost(): void {}

  // ---- what every transport has ------------------------------------------------------------------------------------------------

  /** Does nothing, because nothing is received. */
  pauseReading(): void {}

  /** Does nothing, because nothing is received. */
  resumeReading(): void {}

  override isReading(): boolean {
    return false;
  }

  getExtraInfo(_name: string, defaultValue: unknown = null): never {
    return defaultValue as never; // a sink has no extra info
  }
}

function sinkOf(sink: Writable | WritableStream<NonSharedUint8Array>): Sink {
  if (typeof (sink as Partial<WritableStream> | null | undefined)?.getWriter === "function")
    return webSink(sink as WritableStream<NonSharedUint8Array>);
  // Accepts any Writable by its methods, because not every Writable is an instance of Node's own class.
  const { write, end, destroy, on } = (sink as Partial<Writable> | null | undefined) ?? {};
  if ([write, end, destroy, on].every((method) => typeof method === "function")) return nodeSink(sink as Writable);
  throw invalidType("sink", "a Writable or a WritableStream", sink);
}

function webSink(stream: WritableStream<NonSharedUint8Array>): Sink {
  const writer = stream.getWriter();
  // `ready` rejects when the stream fails, which `closed` already reports.
  writer.ready.catch(() => {});
  return {
    write: (bytes) => writer.write(bytes),
    end: () => writer.close(),
    abort: (reason) => void writer.abort(reason ?? undefined).catch(() => {}),
    // A failed stream has the desired size `null`. `closed` reports the error.
    look: () => ({ isOver: writer.desiredSize === null, error: null }),
    over: writer.closed,
  };
}

function nodeSink(writable: Writable): Sink {
  const called = (call: (done: (error?: Error | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      call((error) => (error === undefined || error === null ? resolve() : reject(error)));
    });
  return {
    write: (bytes) => called((done) => writable.write(bytes, done)),
    end: () => called((done) => writable.end(done)),
    abort: (reason) => void writable.destroy(reason ?? undefined),
    look() {
      const error = writable.errored ?? null; // a write that fails at once sets it; the event follows later
      return { isOver: writable.destroyed || writable.writableFinished || error !== null, error };
    },
    over: called((done) => finished(writable, { readable: false }, done)),
  };
}
