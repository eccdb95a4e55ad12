/**
 * Observes connections in memory. `traced(memoryPair, emit)` returns a `memoryPair()` that calls `emit(event)` for everything that happens
 * at both ends: writes, received chunks, reads that wait, `drain()`, and the pausing of both directions. Each event carries the state of
 * the connection at that moment.
 *
 * Observation is done from outside, by methods set on the four objects of each end. The library itself is not changed.
 */

const DEFAULT_CAPACITY_BYTES = 65_536;
const DEFAULT_LIMIT_BYTES = 65_536;
const PREVIEW_BYTES = 48;
const NAMES = ["client", "server"];

/** Calls of a reader that may wait. */
const READS = ["read", "readline", "readexactly", "readuntil", "peek", "skip", "readinto", "readlines"];
/** Methods of a reader that return an iterator. */
const LOOPS = ["lines", "chunks", "lineBatches", Symbol.asyncIterator];
/** Calls of a writer that may wait. */
const WAITS = ["drain", "flush", "waitClosed"];

/** The bytes of a `write()` as a Buffer. */
const bytesOf = (data) => (typeof data === "string" ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength));

/** The beginning of some bytes, as a string literal. */
export function preview(bytes) {
  const shown = Buffer.from(bytes.subarray(0, PREVIEW_BYTES)).toString("latin1");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters that are shown as escapes
  const text = JSON.stringify(shown).replace(/[\x7f-\xff]/g, (one) => `\\x${one.charCodeAt(0).toString(16)}`);
  return bytes.length > PREVIEW_BYTES ? `${text}...` : text;
}

const plural = (count) => `${count.toLocaleString("en")} ${count === 1 ? "byte" : "bytes"}`;

/** One direction of a connection: what was written at one end and received at the other. */
class Direction {
  written = 0;
  received = 0;
  drains = 0;
  reads = 0;
  writingPaused = false;

  constructor(capacity, limit) {
    this.capacity = capacity;
    this.limit = limit;
  }

  /** What the picture shows. */
  state(sender, receiver) {
    const [low, high] = sender.transport.getWriteBufferLimits();
    const buffered = sender.transport.getWriteBufferSize();
    return {
      buffered,
      low,
      high,
      writingPaused: this.writingPaused,
      drains: this.drains,
      onLine: Math.max(0, this.written - buffered - this.received),
      capacity: this.capacity,
      unread: receiver.reader.bufferedLength,
      limit: this.limit,
      readingPaused: !receiver.transport.isReading() && !receiver.transport.isClosing(),
      reads: this.reads,
      senderClosed: sender.transport.isClosing(),
    };
  }
}

class Connection {
  #ends = [];
  #emit;
  #directions;
  #number;
  /** The events within a call that is not reported yet; `null` outside of one. */
  #held = null;

  constructor(number, options, emit) {
    this.#number = number;
    this.#emit = emit;
    const capacity = options?.capacity ?? DEFAULT_CAPACITY_BYTES;
    const limit = options?.limit ?? DEFAULT_LIMIT_BYTES;
    this.#directions = [new Direction(capacity, limit), new Direction(capacity, limit)];
  }

  /** The state of both directions, once both ends are known. */
  get #state() {
    const [client, server] = this.#ends;
    if (client === undefined || server === undefined) return undefined;
    const [there, back] = this.#directions;
    return [there.state(client, server), back.state(server, client)];
  }

  say(end, kind, text) {
    const event = { pair: this.#number, end: NAMES[end], kind, text, state: this.#state };
    if (this.#held === null) this.#emit(event);
    else this.#held.push(event);
  }

  /** Makes a call and reports it with the state after it, in front of what happened within it. */
  #during(end, kind, text, call) {
    const outer = this.#held;
    this.#held = [];
    try {
      return call();
    } finally {
      const within = this.#held;
      this.#held = outer;
      this.say(end, kind, text);
      for (const event of within) {
        if (outer === null) this.#emit(event);
        else outer.push(event);
      }
    }
  }

  /** Observes one end; only once. */
  add(end, { reader, writer }) {
    if (this.#ends[end] !== undefined) return;
    const { transport } = writer;
    this.#ends[end] = { reader, transport };
    const outgoing = this.#directions[end];
    const incoming = this.#directions[1 - end];
    this.#watchWriter(end, writer, transport, outgoing);
    this.#watchProtocol(end, transport.getProtocol(), outgoing, incoming);
    this.#watchReader(end, reader, incoming);
  }

  #watchWriter(end, writer, transport, outgoing) {
    around(transport, "write", (write, [data]) => {
      const bytes = typeof data === "string" || ArrayBuffer.isView(data) ? bytesOf(data) : Buffer.alloc(0);
      if (!transport.isClosing()) outgoing.written += bytes.length;
      this.#during(end, "write", `write() ${plural(bytes.length)} ${preview(bytes)}`, write);
    });
    for (const name of WAITS) {
      around(writer, name, (call) => this.#wait(end, name, call, name === "drain" ? outgoing : undefined, "drains"));
    }
    for (const name of ["writeEof", "close", "abort"]) {
      around(writer, name, (call) => this.#during(end, "end", `${name}()`, call));
    }
  }

  #watchProtocol(end, protocol, outgoing, incoming) {
    around(protocol, "pauseWriting", (call) => {
      outgoing.writingPaused = true;
      call();
      this.say(end, "pause", "pauseWriting(): above the high-water mark, so drain() waits");
    });
    around(protocol, "resumeWriting", (call) => {
      outgoing.writingPaused = false;
      call();
      this.say(end, "resume", "resumeWriting(): at the low-water mark or below");
    });
    around(protocol, "dataReceived", (call, [data]) => {
      incoming.received += data.length;
      this.#during(end, "receive", `received ${plural(data.length)} ${preview(data)}`, call);
    });
    around(protocol, "eofReceived", (call) => this.#during(end, "end", "received EOF", call));
    around(protocol, "connectionLost", (call, [error]) => {
      this.#during(end, "end", error ? `the connection is lost: ${error.message}` : "the connection is closed", call);
    });
    const { transport } = this.#ends[end];
    around(transport, "pauseReading", (call) => {
      call();
      this.say(end, "pause", "pauseReading(): more than twice the limit is unread");
    });
    around(transport, "resumeReading", (call) => {
      call();
      this.say(end, "resume", "resumeReading(): there is room again");
    });
  }

  #watchReader(end, reader, incoming) {
    for (const name of READS) around(reader, name, (call) => this.#wait(end, name, call, incoming, "reads"));
    for (const name of LOOPS) {
      around(reader, name, (call) => {
        const iterator = call();
        const label = typeof name === "string" ? `${name}()` : "for await";
        return {
          next: () => this.#wait(end, label, () => iterator.next(), incoming, "reads"),
          return: (value) => iterator.return?.(value) ?? Promise.resolve({ done: true, value }),
          [Symbol.asyncIterator]() {
            return this;
          },
        };
      });
    }
  }

  /** A call that may wait: says so if it does, and how it ends. */
  #wait(end, name, call, direction, counter) {
    const label = name.endsWith("()") || name === "for await" ? name : `${name}()`;
    const promise = call();
    let settled = false;
    let waits = false;
    if (direction !== undefined) direction[counter] += 1;
    const finish = (kind, text) => {
      settled = true;
      if (direction !== undefined) direction[counter] -= 1;
      if (text !== null) this.say(end, kind, `${label} ${text}`);
    };
    const succeed = (value) => {
      const result = describeResult(value);
      if (result !== "") finish(counter === "reads" ? "read" : "resume", `returns ${result}`);
      else finish("resume", waits ? "continues" : null);
    };
    promise.then(succeed, (error) => finish("error", `throws ${error?.name}: ${error?.message}`));
    // A call whose result is there settles within these turns of the promise queue.
    let turns = 4;
    const look = () => {
      if (settled) return;
      if (turns > 0) {
        turns -= 1;
        queueMicrotask(look);
        return;
      }
      waits = true;
      this.say(end, "wait", `${label} waits`);
    };
    queueMicrotask(look);
    return promise;
  }
}

/** Replaces a method of one object by one that is given the call of the original. */
function around(object, name, observe) {
  const original = object[name];
  if (typeof original !== "function") return;
  Object.defineProperty(object, name, {
    configurable: true,
    writable: true,
    value: (...args) => observe((...replaced) => original.apply(object, replaced.length > 0 ? replaced : args), args),
  });
}

function describeResult(value) {
  if (value === undefined) return "";
  if (typeof value === "number") return String(value);
  if (Buffer.isBuffer(value) || value instanceof Uint8Array)
    return value.length === 0 ? "0 bytes: EOF" : `${plural(value.length)} ${preview(value)}`;
  if (typeof value === "object" && value !== null && "done" in value) return value.done ? "the end" : describeResult(value.value);
  if (Array.isArray(value)) return `${value.length} lines`;
  return JSON.stringify(value);
}

/** Wraps `memoryPair()`. */
export function traced(memoryPair, emit) {
  let pairs = 0;
  return (options) => {
    const connection = new Connection(pairs, options, emit);
    pairs += 1;
    const serve = options?.clientConnectedCb;
    const clientConnectedCb =
      typeof serve === "function"
        ? (reader, writer, context) => {
            connection.add(1, { reader, writer });
            return serve(reader, writer, context);
          }
        : serve;
    const ends = memoryPair(options === undefined ? undefined : { ...options, ...(serve === undefined ? {} : { clientConnectedCb }) });
    ends.forEach((end, index) => connection.add(index, end));
    connection.say(0, "start", `memoryPair(): connected${serve === undefined ? "" : ", and the server's callback runs"}`);
    return ends;
  };
}
