/**
 * `Sending`: how a `SocketTransport` writes to its wire.
 *
 * Theory of operation
 *
 * What is written in one turn of the event loop is gathered and given to the wire together when the turn's promises have run: with pipelined messages one system call
 * carries dozens of answers. Whatever reaches FLUSH_BYTES goes at once. While the wire has something that the system did not take, the gathering goes on.
 *
 * Where each message that comes has been answered by one write, the next answer is not gathered, which saves the tick; a second write shows that this has changed.
 */
import { Outbox, release } from "../base/outbox.js";
import type { Wire } from "./wire.js";

/** What is gathered in a turn goes to the socket at this size: as much as a pipe or a socket takes at once, and little enough to join by copying. */
const FLUSH_BYTES = 65_536;

/** After so many turns with one write, each for something that was received, the next such write is not gathered but sent. */
const SINGLE_ANSWERS = 8;

export class Sending {
  readonly #wire: Wire;
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

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Bytes that the system has not taken: what is gathered here and what the wire has. */
  get unsent(): number {
    return (this.#gathered?.length ?? 0) + this.#wire.unsent;
  }

  /** Whether something was written that was not sent and never will be. */
  get dropped(): boolean {
    return this.#dropped || this.#wire.dropped;
  }

  /** Something was received, and what is written next may be the answer. */
  received(): void {
    this.#answered = false;
  }

  /** Sends, now or at the end of the turn. */
  write(bytes: Uint8Array): void {
    if (this.#gathered !== null) {
      this.#singleAnswers = -1;
      this.#push(this.#gathered, bytes);
    } else if (this.#answersAtOnce()) this.#send(bytes, bytes.length);
    else this.#gather(bytes);
  }

  /** Whether this write is, by all experience, the only one for what was received last. */
  #answersAtOnce(): boolean {
    if (!this.#answered) {
      this.#answered = true;
      return this.#singleAnswers > SINGLE_ANSWERS && this.#wire.unsent === 0;
    }
    this.#singleAnswers = -1;
    return false;
  }

  #gather(bytes: Uint8Array): void {
    this.#gathered = new Outbox();
    this.#push(this.#gathered, bytes);
    if (this.#gathered !== null && !this.#flushScheduled) {
      this.#flushScheduled = true;
      // A tick that is asked for while promises run comes after the last of them.
      process.nextTick(flushGathered, this);
    }
  }

  #push(gathered: Outbox, bytes: Uint8Array): void {
    gathered.push(bytes);
    if (gathered.length >= FLUSH_BYTES) this.flush();
  }

  /** @internal */
  endTurn(): void {
    this.#flushScheduled = false;
    this.#singleAnswers += 1; // after more than one it was -1
    // What the wire still has goes first; then the transport flushes this.
    if (this.#wire.unsent === 0) this.flush();
  }

  /** Gives the wire what is gathered. */
  flush(): void {
    if (this.#gathered === null) return;
    const { length } = this.#gathered;
    const data = this.#gathered.take();
    this.#gathered = null;
    this.#send(data, length);
  }

  #send(data: Uint8Array | readonly Uint8Array[], length: number): void {
    if (this.#wire.destroyed) {
      this.#dropped = true;
      return;
    }
    this.sentBytes += length;
    if (this.#wire.write(data)) release(data);
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

function flushGathered(sending: Sending): void {
  sending.endTurn();
}
