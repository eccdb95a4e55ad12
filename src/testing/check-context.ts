/** The basis of the checks of `checkTransport()`: connected pairs that are closed after each check, and the data sent over them. */

import assert from "node:assert/strict";
import type { NonSharedBuffer } from "../base/bytes.js";
import { TimeoutError } from "../base/errors.js";
import { clearTimeout, startLimit, turns } from "../base/scheduling.js";
import type { Protocol } from "../contracts/connection.js";
import { type ProtocolHooks, RecordingProtocol } from "./recording-protocol.js";

/** A test of one guarantee of the `Transport` contract. */
export interface TransportCheck {
  /** The guarantee, as a sentence. */
  readonly name: string;
  /** Whether the check needs a clogged pair: the second end does not read, so the first has to stop writing. */
  readonly clogged: boolean;
  /** Runs the check. Resolves if the transport meets the guarantee; rejects with an `AssertionError` or a `TimeoutError` if it does not. */
  run(): Promise<void>;
}

/**
 * Connects two protocols with transports of the kind under test. `connectionMade()` must be called on each, at the latest soon after
 * the promise resolves.
 *
 * @returns nothing, or a function to call when both connections are lost, for example to close a server
 */
export type MakePair = (first: Protocol, second: Protocol) => Promise<CleanUp | void> | CleanUp | void;

/** Releases what `MakePair` has created. */
export type CleanUp = () => Promise<void> | void;

/** Two connected protocols. */
export interface CheckedPair {
  readonly first: RecordingProtocol;
  readonly second: RecordingProtocol;
  /** Lets the event loop turn until `condition` is true or the check is over. */
  readonly until: (condition: () => boolean) => Promise<void>;
}

/** Makes pairs for checks, with the time limit of a check. */
export interface PairMaker {
  readonly make: MakePair;
  readonly timeoutMs: number;
}

/** The two kinds of pair that a check may ask for. */
export interface PairMakers {
  readonly makePair: PairMaker;
  /** Makes a pair whose first end has received `pauseWriting()`, because the second does not read. */
  readonly makeCloggedPair: PairMaker;
}

/** The definition of a check. */
export interface CheckDefinition {
  readonly name: string;
  readonly clogged?: true;
  readonly run: (makers: PairMakers) => Promise<void>;
}

/** The hooks of the two protocols of a pair. */
export interface PairHooks {
  readonly first?: ProtocolHooks;
  readonly second?: ProtocolHooks;
}

/**
 * How many turns to wait for the loss of a transport that has failed a check. The loss may never happen, and waiting forever would hide
 * the failure.
 */
const TURNS_AFTER_FAILURE = 1_000;

/** Connects two recording protocols, runs `body` with them, and aborts the connection in any case. */
export async function withPair(
  { make, timeoutMs }: PairMaker,
  hooks: PairHooks,
  body: (pair: CheckedPair) => Promise<void> | void,
): Promise<void> {
  const first = new RecordingProtocol(hooks.first);
  const second = new RecordingProtocol(hooks.second);
  let over = false;
  const until = async (condition: () => boolean): Promise<void> => {
    while (!over && !condition()) await turns();
  };
  let cleanUp: CleanUp | void = undefined;
  const check = async (): Promise<void> => {
    cleanUp = await make(first, second);
    await until(() => first.isConnected && second.isConnected);
    await body({ first, second, until });
    await until(endsLost);
  };
  const connected = (): RecordingProtocol[] => [first, second].filter((end) => end.isConnected);
  const endsLost = (): boolean => {
    for (const end of connected()) end.transport.abort();
    return connected().every((end) => end.losses.length > 0);
  };
  try {
    await inTime(check(), timeoutMs);
  } finally {
    over = true;
    for (let turn = 0; turn < TURNS_AFTER_FAILURE && !endsLost(); turn += 1) await turns();
    await (cleanUp as CleanUp | undefined)?.();
  }
}

function inTime(check: Promise<void>, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = startLimit(() => {
      reject(new TimeoutError(`the check took longer than ${timeoutMs} ms: the awaited event did not happen`));
    }, timeoutMs);
    check.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** How much to write before a transport must have called `pauseWriting()`: more than any system buffers for a peer that does not read. */
const CLOG_BYTES = 64 * 1_048_576;
const PIECE_BYTES = 65_536;
/** The number of turns without progress after which the system accepts no more data. */
const QUIET_TURNS = 20;

/** Makes a clogged pair: the second end stops reading, and the first writes until writing is paused. */
export function cloggingBy(makePair: MakePair): MakePair {
  return async (first, second) => {
    const [writing, silent] = [first, second] as [RecordingProtocol, RecordingProtocol];
    const cleanUp = await makePair(first, second);
    while (!writing.isConnected || !silent.isConnected) await turns();
    silent.transport.pauseReading();
    let sent = 0;
    // A system may accept more data in the turns after the first pause.
    for (let quietTurns = 0; quietTurns < QUIET_TURNS; ) {
      for (; !isPaused(writing) && sent < CLOG_BYTES; sent += PIECE_BYTES) {
        writing.transport.write(payload(PIECE_BYTES, sent));
        quietTurns = 0;
      }
      await turns();
      if (isPaused(writing)) quietTurns += 1;
      else if (sent >= CLOG_BYTES) assert.fail(`writing is not paused after ${CLOG_BYTES} bytes were written to a peer that does not read`);
    }
    return cleanUp;
  };
}

function isPaused({ calls }: RecordingProtocol): boolean {
  return calls.lastIndexOf("pauseWriting") > calls.lastIndexOf("resumeWriting");
}

/** A prime, so that lost or reordered pieces are detected. */
const PERIOD = 251;

/** Returns bytes of an endless test pattern, starting at a position. */
export function payload(length: number, from: number = 0): NonSharedBuffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let index = 0; index < length; index += 1) bytes[index] = (from + index) % PERIOD;
  return bytes;
}

/** Returns the end of the received data as text, cheaply enough for polling. */
export function lastBytes(protocol: RecordingProtocol, count: number): string {
  // Each chunk has at least one byte.
  return Buffer.concat(protocol.chunks.slice(-count)).subarray(-count).toString();
}
