/**
 * `WriteScheduler`: how a `SocketTransport` writes to its wire.
 *
 * Theory of operation
 *
 * The writes of one turn of the event loop are collected and handed to the wire together, after the turn's promise reactions have run. With
 * pipelined messages, one system call then carries dozens of answers. Collected data of FLUSH_BYTES or more is sent immediately. While the
 * wire has bytes that the system did not accept, collecting continues.
 *
 * If each received message has been answered by exactly one write, the next answer is sent immediately instead of being collected, which
 * saves the tick. A second write shows that this pattern has ended.
 *
 * A process that exits has no further turn. An 'exit' listener then sends the collected data, and later writes are no longer collected.
 */

import { nextTick } from "../base/scheduling.js";
import type { Wire } from "./wire.js";
import { release, WriteBatch } from "./write-batch.js";

/** The collected data is sent at this size: as much as a pipe or a socket accepts at once, and little enough to join by copying. */
const FLUSH_BYTES = 65_536;

/** After this many turns with a single write, each in response to received data, the next such write is sent immediately. */
const SINGLE_ANSWERS = 8;

/**
 * The transport, which is aborted if bytes cannot be sent: their memory is detached, or there is no memory for a copy. The peer must not
 * receive the bytes that follow.
 */
interface Aborted {
  abort(reason: Error): void;
}

export class WriteScheduler {
  readonly #wire: Wire;
  readonly #transport: Aborted;
  /** The collected writes; `null` if there are none. */
  #gathered: WriteBatch | null = null;
  /** Whether a write has happened since data was last received. */
  #answered = false;
  /** Number of consecutive turns with a single write, counted while writes are collected. */
  #singleAnswers = 0;
  #flushScheduled = false;
  /** Number of bytes handed to the wire. */
  sentBytes = 0;
  #dropped = false;
  /** Ends our side once the wire has all written data. */
  #ending: (() => void) | null = null;

  /** @param transport aborted if bytes cannot be sent: their memory is detached, or there is no memory to collect them */
  constructor(wire: Wire, transport: Aborted) {
    this.#wire = wire;
    this.#transport = transport;
    listenForExit();
  }

  /** Number of bytes that the system has not accepted: the collected bytes and the wire's unsent bytes. */
  get unsent(): number {
    return (this.#gathered?.length ?? 0) + this.#wire.unsent;
  }

  /** Whether some written data was not sent and never will be. */
  get dropped(): boolean {
    return this.#dropped || this.#wire.dropped;
  }

  /** Notes that data was received. The next write may be the answer to it. */
  received(): void {
    this.#answered = false;
  }

  /** Sends bytes now or at the end of the turn. */
  write(bytes: Uint8Array): void {
    const gathered = this.#gathered;
    if (gathered === null) {
      this.#begin(bytes);
      return;
    }
    this.#singleAnswers = -1;
    try {
      gathered.push(bytes);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (gathered.length >= FLUSH_BYTES) this.flush();
  }

  /** Handles the first write of a turn or after a flush. */
  #begin(bytes: Uint8Array): void {
    const gathered = takeBatch();
    this.#gathered = gathered;
    try {
      gathered.push(bytes);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#isSingleAnswer() || gathered.length >= FLUSH_BYTES || isExiting) this.flush();
    else this.#scheduleFlush();
  }

  /** Aborts the transport because a write could not be collected. */
  #fail(error: unknown): void {
    this.drop();
    this.#transport.abort(error as Error);
  }

  /** Whether this write is likely to be the only answer to the data received last. */
  #isSingleAnswer(): boolean {
    if (!this.#answered) {
      this.#answered = true;
      return this.#singleAnswers > SINGLE_ANSWERS;
    }
    this.#singleAnswers = -1;
    return false;
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    schedule(this);
  }

  /** @internal */
  endTurn(): void {
    this.#flushScheduled = false;
    this.#singleAnswers += 1; // it is -1 after more than one write
    this.flush();
  }

  /** Hands the collected data to the wire, unless the wire has bytes that the system did not accept: those go first. */
  flush(): void {
    if (this.#gathered !== null && this.#wire.unsent === 0) this.flushAll();
  }

  /** Hands the collected data to the wire behind its unsent bytes. Called directly if no later turn will follow. */
  flushAll(): void {
    const gathered = this.#gathered;
    if (gathered === null) return;
    this.#gathered = null;
    if (this.#wire.destroyed) {
      gathered.clear();
      this.#dropped = true;
      return;
    }
    const { length, isForeign } = gathered;
    let data: Uint8Array | readonly Uint8Array[];
    try {
      data = gathered.take();
      spare = gathered;
    } catch (error) {
      this.#dropped = true;
      this.#transport.abort(error as Error);
      return;
    }
    this.sentBytes += length;
    if (this.#wire.write(data, isForeign)) release(data);
  }

  /** Calls a function that ends our side once the wire has all written data, so that no EOF follows bytes that cannot be sent. */
  whenHandedOver(end: () => void): void {
    this.#ending = end;
    this.flush();
    this.endIfHandedOver();
  }

  /** Calls that function if its time has come. */
  endIfHandedOver(): void {
    const end = this.#ending;
    if (end === null || this.#gathered !== null) return;
    this.#ending = null;
    end();
  }

  /** Notes a write that is not sent. */
  refuse(): void {
    this.#dropped = true;
  }

  /** Drops the collected data. */
  drop(): void {
    if (this.#gathered !== null) this.#dropped = true;
    this.#gathered?.clear();
    this.#gathered = null;
  }
}

/** An empty batch for reuse: most are used for a single write. */
let spare: WriteBatch | null = null;

function takeBatch(): WriteBatch {
  if (spare === null) return new WriteBatch();
  const batch = spare;
  spare = null;
  return batch;
}

/** All that have data to send at the end of this turn, including those that have already sent it while others still wait. */
let scheduled: WriteScheduler[] = [];
/** Number of scheduled objects that still wait. */
let open = 0;
let isExiting = false;
let listensForExit = false;

/** Adds the 'exit' listener once, with the first connection: a listener that is added during 'exit' would not be called. */
function listenForExit(): void {
  if (listensForExit) return;
  listensForExit = true;
  try {
    process.prependListener("exit", onExit);
    /* c8 ignore next 3 -- only if `process` was frozen before anything listened to it */
  } catch {
    // a frozen `process`: the last writes are sent only if the turn ends normally
  }
}

function schedule(sending: WriteScheduler): void {
  scheduled.push(sending);
  open += 1;
  // A tick that is requested during promise reactions runs after the last of them. Each object has its own tick, in the `AsyncLocalStorage`
  // context of its writer.
  nextTick(endTurn, sending);
}

function endTurn(sending: WriteScheduler): void {
  open -= 1;
  if (open === 0) scheduled = [];
  sending.endTurn();
}

function onExit(): void {
  isExiting = true;
  for (const sending of scheduled) sending.flushAll();
}
