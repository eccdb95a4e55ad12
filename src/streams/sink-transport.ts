/**
 * `SinkTransport`: writes to a Writable of Node or a `WritableStream`. What `StreamWriter.from()` is made of.
 *
 * The sink does the buffering. What it has been given and is not done with is the write buffer, which has the water marks of any transport; nothing
 * is ever received. The protocol hears of the end in a microtask. The states are `TransportCore`'s.
 *
 * A sink may be over without an event that tells of it yet, such as the standard input of a child that has just exited. So it is asked whenever
 * that matters: a sink that is over is a connection that is lost.
 */
import { finished, type Writable } from "node:stream";
import { checkError, invalidType, toBytes, toPieces } from "../base/arguments.js";
import { InvalidStateError } from "../base/errors.js";
import { HIGH_WATER_BYTES } from "../base/limits.js";
import { ownCopy } from "../base/memory.js";
import { asError } from "../base/thrown.js";
import { DONE } from "../base/waiting.js";
import type { Transport, WriteData } from "../contracts/connection.js";
import { TransportCore } from "../core/transport-core.js";
import { WriterFlow } from "./writer-flow.js";

/** Either kind of sink, as far as it is used. */
interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  abort(reason: Error | null): void;
  /** Whether it is over, though `over` may not tell of it yet; with the error that ended it, if there is one. */
  look(): { readonly isOver: boolean; readonly error: unknown };
  /** Resolves, or rejects with the error, when the sink is over. */
  readonly over: Promise<void>;
}

/** The protocol of a connection on which nothing is received. */
class SinkFlow extends WriterFlow {
  dataReceived(): void {}
  connectionMade(): void {}
  eofReceived(): void {}
}

export class SinkTransport extends TransportCore implements Transport {
  /** The protocol that the writer asks. */
  readonly flow: WriterFlow;
  readonly #sink: Sink;
  #pendingBytes = 0;
  /** Whether something was written that never reached the end of the sink. */
  #dropped = false;
  #ending: Promise<void> | null = null;

  constructor(sink: Writable | WritableStream<Uint8Array>) {
    const flow = new SinkFlow();
    super(flow, HIGH_WATER_BYTES);
    this.flow = flow;
    this.#sink = sinkOf(sink);
    this.#sink.over.then(
      // After writeEof() the connection stands until it is closed, as others do.
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
    // A copy: the sink may take its memory over, and so may the program.
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

  /** Nothing is held back. */
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
    if (this.state === "open") this.#end().catch(() => {}); // the sink's own end tells of it, too
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
      error ??= thrown; // a sink of the program's
    }
    this.#break(error);
  }

  override isClosing(): boolean {
    this.#look();
    return super.isClosing();
  }

  /** Notices a sink that is over. */
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

  /** Nothing is received. */
  pauseReading(): void {}

  /** Nothing is received. */
  resumeReading(): void {}

  override isReading(): boolean {
    return false;
  }

  getExtraInfo(_name: string, defaultValue: unknown = null): never {
    return defaultValue as never; // nothing is known
  }
}

function sinkOf(sink: Writable | WritableStream<Uint8Array>): Sink {
  if (typeof (sink as Partial<WritableStream> | null | undefined)?.getWriter === "function")
    return webSink(sink as WritableStream<Uint8Array>);
  // Any Writable: there are other classes than Node's own.
  const { write, end, destroy, on } = (sink as Partial<Writable> | null | undefined) ?? {};
  if ([write, end, destroy, on].every((method) => typeof method === "function")) return nodeSink(sink as Writable);
  throw invalidType("sink", "a Writable or a WritableStream", sink);
}

function webSink(stream: WritableStream<Uint8Array>): Sink {
  const writer = stream.getWriter();
  // `ready` rejects with the stream, which `closed` tells of already.
  writer.ready.catch(() => {});
  return {
    write: (bytes) => writer.write(bytes),
    end: () => writer.close(),
    abort: (reason) => void writer.abort(reason ?? undefined).catch(() => {}),
    // A stream that has failed wants nothing for ever, and says so by `null`; why, `closed` tells.
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
    look: () => ({ isOver: writable.destroyed || writable.writableFinished, error: writable.errored ?? null }),
    over: called((done) => finished(writable, { readable: false }, done)),
  };
}
