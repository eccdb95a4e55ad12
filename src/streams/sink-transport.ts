/**
 * `SinkTransport`: writes to a Writable of Node or a `WritableStream`. What `StreamWriter.from()` is made of.
 *
 * The sink does the buffering. What it has been given and is not done with is the write buffer, which has the water marks of any transport; nothing is ever received.
 * The protocol hears of the end in a microtask, never from within its own call.
 */
import { finished, type Writable } from "node:stream";
import { checkError, checkProtocol, invalidType, toBytes, toPieces } from "../base/arguments.js";
import { InvalidStateError, notSentError } from "../base/errors.js";
import { FlowControl } from "../base/flow-control.js";
import { HIGH_WATER_BYTES } from "../base/limits.js";
import { asError } from "../base/thrown.js";
import { DONE, type WaitEnd, Waiters } from "../base/waiting.js";
import type { Protocol, Transport, WriteBufferLimits, WriteData } from "../contracts/connection.js";
import { WriterFlow } from "./writer-flow.js";

/** Either kind of sink, as far as it is used. */
interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  abort(reason: Error | null): void;
  /** Resolves, or rejects with the error, when the sink is over. */
  readonly over: Promise<void>;
}

/** The protocol of a connection on which nothing is received. */
class SinkFlow extends WriterFlow implements Protocol {
  connectionMade(): void {}
  dataReceived(): void {}
  eofReceived(): void {}
}

export class SinkTransport implements Transport {
  /** The protocol that the writer asks. */
  readonly flow: WriterFlow;
  readonly #sink: Sink;
  readonly #marks = new FlowControl(HIGH_WATER_BYTES);
  readonly #written = new Waiters();
  #protocol: Protocol;
  #pendingBytes = 0;
  /** Whether something was written that never reached the end of the sink. */
  #dropped = false;
  #ending: Promise<void> | null = null;
  #state: "open" | "closing" | "lost" = "open";
  #error: Error | null = null;

  constructor(sink: Writable | WritableStream<Uint8Array>) {
    this.#sink = sinkOf(sink);
    const flow = new SinkFlow();
    this.flow = flow;
    this.#protocol = flow;
    this.#sink.over.then(
      // After writeEof() the connection stands until it is closed, as others do.
      () => this.#ending === null && this.#loseSoon(null),
      (error: unknown) => this.#loseSoon(error),
    );
  }

  write(data: WriteData): void {
    const bytes = toBytes("data", data);
    if (this.#ending !== null && this.#state === "open") throw new InvalidStateError("cannot write() after writeEof()");
    if (bytes.length === 0) return;
    if (this.#state !== "open") {
      this.#dropped = true;
      return;
    }
    this.#pendingBytes += bytes.length;
    this.#sink.write(bytes).then(
      () => this.#onWritten(bytes.length),
      (error: unknown) => this.#loseSoon(error),
    );
    this.#marks.check(this.#pendingBytes, this.#protocol);
  }

  writelines(list: Iterable<WriteData>): void {
    for (const piece of toPieces(list)) this.write(piece);
  }

  #onWritten(count: number): void {
    this.#pendingBytes -= count;
    if (this.#state === "lost") return;
    if (this.#pendingBytes === 0) this.#written.wake();
    this.#marks.check(this.#pendingBytes, this.#protocol);
  }

  flushed(signal: WaitEnd | undefined): Promise<void> {
    if (this.#dropped) return Promise.reject(notSentError(this.#error));
    return this.#pendingBytes === 0 ? DONE : this.#written.wait(signal);
  }

  canWriteEof(): boolean {
    return true;
  }

  writeEof(): void {
    if (this.#state === "open") this.#end().catch(() => {}); // the sink's own end tells of it, too
  }

  #end(): Promise<void> {
    return (this.#ending ??= this.#sink.end());
  }

  // ---- ending ------------------------------------------------------------------------------------------------------------------

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#end().then(
      () => this.#loseSoon(null),
      (error: unknown) => this.#loseSoon(error),
    );
  }

  abort(reason?: Error): void {
    if (reason !== undefined) checkError("reason", reason);
    if (this.#state === "lost") return;
    this.#sink.abort(reason ?? null);
    this.#loseSoon(reason ?? null);
  }

  isClosing(): boolean {
    return this.#state !== "open";
  }

  #loseSoon(reason: unknown): void {
    if (this.#state === "lost") return;
    this.#state = "lost";
    if (this.#pendingBytes > 0) this.#dropped = true;
    this.#error = reason === null ? null : asError(reason, "the sink failed with");
    const tell = (): void => {
      this.#written.fail(() => notSentError(this.#error));
      this.#protocol.connectionLost(this.#error);
    };
    void DONE.then(tell);
  }

  // ---- what every transport has ------------------------------------------------------------------------------------------------

  /** Nothing is received. */
  pauseReading(): void {}

  /** Nothing is received. */
  resumeReading(): void {}

  isReading(): boolean {
    return false;
  }

  setWriteBufferLimits(limits?: WriteBufferLimits): void {
    this.#marks.setLimits(limits);
    this.#marks.check(this.#pendingBytes, this.#protocol);
  }

  getWriteBufferLimits(): [low: number, high: number] {
    return this.#marks.limits;
  }

  getWriteBufferSize(): number {
    return this.#state === "lost" ? 0 : this.#pendingBytes;
  }

  getExtraInfo(_name: string, defaultValue: unknown = null): never {
    return defaultValue as never; // nothing is known
  }

  setProtocol(protocol: Protocol): void {
    checkProtocol("protocol", protocol);
    this.#protocol = protocol;
    if (this.#marks.paused) protocol.pauseWriting();
  }

  getProtocol(): Protocol {
    return this.#protocol;
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
    over: called((done) => finished(writable, { readable: false }, done)),
  };
}
