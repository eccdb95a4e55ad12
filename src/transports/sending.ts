/**
 * `Sending`: how a `SocketTransport` writes to its wire.
 *
 * Theory of operation
 *
 * What is written in one turn of the event loop is gathered and given to the wire together when the turn's promises have run: with pipelined
 * messages one system call carries dozens of answers. Whatever reaches FLUSH_BYTES goes at once. While the wire has something that the system did not take, the gathering goes on.
 *
 * Where each message that comes has been answered by one write, the next answer is not gathered, which saves the tick; a second write shows that
 * this has changed.
 *
 * A process that exits has no further turn: what is gathered then is sent from an 'exit' listener, and nothing is gathered any more.
 */
import { Outbox, release } from "../base/outbox.js";
import { nextTick } from "../base/scheduling.js";
import type { Wire } from "./wire.js";

/** What is gathered in a turn goes to the socket at this size: as much as a pipe or a socket takes at once, and little enough to join by copying. */
const FLUSH_BYTES = 65_536;

/** After so many turns with one write, each for something that was received, the next such write is not gathered but sent. */
const SINGLE_ANSWERS = 8;

/** The transport, where bytes cannot be sent since their memory is gone, or there is none for a copy: the peer is never to have what follows. */
interface Aborted {
  abort(reason: Error): void;
}

export class Sending {
  readonly #wire: Wire;
  readonly #transport: Aborted;
  /** `null`: nothing. */
  #gathered: Outbox | null = null;
  /** Whether something was written since something was received. */
  #answered = false;
  /** How often in a row a turn had one write, while they were gathered. */
  #singleAnswers = 0;
  #flushScheduled = false;
  /** Bytes handed to the wire. */
  sentBytes = 0;
  #dropped = false;

  /** @param events told of bytes that cannot be sent: their memory was given away, or there is none to gather them in */
  constructor(wire: Wire, transport: Aborted) {
    this.#wire = wire;
    this.#transport = transport;
    listenForExit();
  }

  /** Bytes that the system has not taken: what is gathered here and what the wire has. */
  get unsent(): number {
    return (this.#gathered?.length ?? 0) + this.#wire.unsent;
  }

  /** Whether something was written that was not sent and never will be. */
  get dropped(): boolean {
    return this.#dropped || this.#wire.dropped;
  }

  /** Whether something is held back that the wire has not been given. */
  get holds(): boolean {
    return this.#gathered !== null;
  }

  /** Something was received, and what is written next may be the answer. */
  received(): void {
    this.#answered = false;
  }

  /** Sends, now or at the end of the turn. */
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

  /** The first write of a turn, or after a flush. */
  #begin(bytes: Uint8Array): void {
    const gathered = takeOutbox();
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

  /** There is no memory to gather something in. */
  #fail(error: unknown): void {
    this.drop();
    this.#transport.abort(error as Error);
  }

  /** Whether this write is likely to be the only one for what was received last. */
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
    this.#singleAnswers += 1; // after more than one it was -1
    this.flush();
  }

  /** Gives the wire what is gathered, unless it has something that the system did not take: that goes first. */
  flush(): void {
    if (this.#gathered !== null && this.#wire.unsent === 0) this.flushAll();
  }

  /** Gives the wire what is gathered, behind what it has: where there is no later. */
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

  /** Something was written that is not to be sent. */
  refuse(): void {
    this.#dropped = true;
  }

  /** Forgets what is gathered. */
  drop(): void {
    if (this.#gathered !== null) this.#dropped = true;
    this.#gathered?.clear();
    this.#gathered = null;
  }
}

/** An empty outbox: most are used for one write and then again. */
let spare: Outbox | null = null;

function takeOutbox(): Outbox {
  if (spare === null) return new Outbox();
  const outbox = spare;
  spare = null;
  return outbox;
}

/** Those with something to send at the end of this turn, and others whose turn to send has come while those still wait. */
let scheduled: Sending[] = [];
/** How many wait. */
let open = 0;
let isExiting = false;
let listensForExit = false;

/** Once, with the first connection: a listener that is added during 'exit' would not be called. */
function listenForExit(): void {
  if (listensForExit) return;
  listensForExit = true;
  try {
    process.prependListener("exit", onExit);
    /* c8 ignore next 3 -- before anything else of the process has listened */
  } catch {
    // a frozen `process`: last words are only sent where the turn comes to its end
  }
}

function schedule(sending: Sending): void {
  scheduled.push(sending);
  open += 1;
  // A tick that is asked for while promises run comes after the last of them. Each has its own, in the `AsyncLocalStorage` context of who writes.
  nextTick(endTurn, sending);
}

function endTurn(sending: Sending): void {
  open -= 1;
  if (open === 0) scheduled = [];
  sending.endTurn();
}

function onExit(): void {
  isExiting = true;
  for (const sending of scheduled) sending.flushAll();
}
