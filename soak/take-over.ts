/** `setProtocol()` mid-way: a protocol takes the connection over for one message, and gives it back to the one of the reader. */
import type { NonSharedBuffer, Protocol, StreamReader, Transport } from "asyncio-streams";
import type { Random } from "../test/support/random.js";
import { accept, afterFailedRead } from "./arrivals.js";
import { countCruelty, type End, randomOptions } from "./end.js";
import { pause } from "./pauses.js";

/** The longest message: more than a connection delivers at once, so that it is whole most of the time. */
const MOST_MESSAGE_BYTES = 100_000;

/** Then the protocol gives the connection back without a message: the end may have come to the reader already. */
const MOST_PATIENCE_MS = 100;

/** Takes over for one message. It passes on what it does not look at, as a protocol before another has to. */
class OneMessage implements Protocol {
  readonly #transport: Transport;
  readonly #before: Protocol;
  readonly #mostBytes: number;
  readonly #patience: NodeJS.Timeout;
  #resolve!: (message: Buffer | null) => void;
  /** The message; `null` if none came. */
  readonly message: Promise<Buffer | null>;

  constructor(transport: Transport, mostBytes: number, patienceMs: number) {
    this.#transport = transport;
    this.#before = transport.getProtocol();
    this.#mostBytes = mostBytes;
    this.message = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#patience = setTimeout(() => this.#giveBack(null), patienceMs);
    transport.setProtocol(this);
  }

  #giveBack(message: Buffer | null): void {
    clearTimeout(this.#patience);
    this.#transport.setProtocol(this.#before);
    this.#resolve(message);
  }

  connectionMade(): void {}

  dataReceived(data: NonSharedBuffer): void {
    this.#giveBack(data.length > this.#mostBytes ? data.subarray(0, this.#mostBytes) : data);
    if (data.length > this.#mostBytes) this.#before.dataReceived(data.subarray(this.#mostBytes));
  }

  eofReceived(): boolean | void {
    this.#giveBack(null);
    return this.#before.eofReceived();
  }

  connectionLost(error: Error | null): void {
    this.#giveBack(null);
    this.#before.connectionLost(error);
  }

  pauseWriting(): void {
    this.#before.pauseWriting();
  }

  resumeWriting(): void {
    this.#before.resumeWriting();
  }

  shutdownRequested(): void {
    this.#before.shutdownRequested?.();
  }
}

/** Whether a message is to come that the reader has not got yet, and the connection delivers it. */
export function canTakeOver({ reader, writer, conversation, without }: End, rest: Buffer): boolean {
  if (without.has("protocols")) return false;
  return conversation.route.feedsReader && writer.transport.isReading() && !reader.atEof() && rest.length - reader.bufferedLength >= 2;
}

/**
 * Lets a protocol take over for one message, perhaps while a long read waits, and compares the message and what the read brings. Returns
 * what is to come after that: the bytes that the reader has already, and those after the message.
 */
export async function takeOver(end: End, rest: Buffer, random: Random): Promise<Buffer> {
  const { reader, ledger, conversation } = end;
  const most = random.int(1, Math.min(MOST_MESSAGE_BYTES, rest.length - reader.bufferedLength - 1));
  if (random.chance(0.5)) {
    const { left } = await takeMessage(end, rest, most, "setProtocol()", random);
    return left;
  }
  const read = new BackgroundRead(
    reader,
    random.chance(0.5) ? rest.length - most : random.int(reader.bufferedLength + 1, rest.length - most),
    random,
  );
  // A part of what is wanted comes, perhaps: the rest may be received into the same memory.
  await pause(random, 5);
  let message: Buffer | null = null;
  let left = rest;
  if (!read.isDone && canTakeOver(end, rest))
    ({ message, left } = await takeMessage(end, rest, most, "setProtocol() in a long read", random));
  const kept = message === null ? null : Buffer.from(message);
  const { bytes, error } = await read.result;
  if (message !== null && kept?.equals(message) === false) ledger.report("a message has changed while a long read went on", conversation);
  if (bytes !== null) return accept(end, bytes, left, random);
  afterFailedRead(end, error, left);
  return left;
}

/** Lets a protocol take one message, which comes behind what the reader has. */
async function takeMessage(
  end: End,
  rest: Buffer,
  most: number,
  what: string,
  random: Random,
): Promise<{ readonly message: Buffer | null; readonly left: Buffer }> {
  const before = end.reader.bufferedLength;
  const message = await new OneMessage(end.writer.transport, most, random.int(1, MOST_PATIENCE_MS)).message;
  if (message === null) return { message, left: rest };
  countCruelty(end, what);
  end.ledger.check(message, rest.subarray(before), end.conversation);
  end.retained.offer(message, end.owner);
  return { message, left: Buffer.concat([rest.subarray(0, before), rest.subarray(before + message.length)]) };
}

/** A read that waits while something else is done. `result` never rejects. */
class BackgroundRead {
  readonly result: Promise<{ readonly bytes: Buffer | null; readonly error: unknown }>;
  isDone = false;

  constructor(reader: StreamReader, wanted: number, random: Random) {
    this.result = this.#read(reader, wanted, random);
  }

  async #read(reader: StreamReader, wanted: number, random: Random): Promise<{ readonly bytes: Buffer | null; readonly error: unknown }> {
    try {
      return { bytes: await reader.readexactly(wanted, randomOptions(random)), error: null };
    } catch (error) {
      return { bytes: null, error };
    } finally {
      this.isDone = true;
    }
  }
}
