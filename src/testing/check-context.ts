/** What the checks of `checkTransport()` stand on: connected pairs that are taken down after each, and what is sent over them. */
import assert from "node:assert/strict";
import { clearTimeout, setTimeout } from "../base/scheduling.js";
import type { Protocol } from "../contracts/connection.js";
import { type ProtocolHooks, RecordingProtocol } from "./recording-protocol.js";
import { turns } from "./turns.js";

/** One promise of the `Transport` contract, as a test. */
export interface TransportCheck {
  /** The promise, as a sentence. */
  readonly name: string;
  /** Whether it needs a pair whose second end does not read, so that the first has to stop writing. */
  readonly clogged: boolean;
  /** Resolves if the transport keeps it; rejects with an `AssertionError` or a `TimeoutError` if it does not. */
  run(): Promise<void>;
}

/**
 * Connects two protocols by transports of the kind under test: each must hear `connectionMade()`, at the latest soon after the promise is resolved.
 *
 * @returns nothing, or what is to be done when both connections are lost: closing a server, say
 */
export type MakePair = (first: Protocol, second: Protocol) => Promise<CleanUp | void> | CleanUp | void;

/** Takes down what `MakePair` has put up. */
export type CleanUp = () => Promise<void> | void;

/** Two protocols, connected. */
export interface CheckedPair {
  readonly first: RecordingProtocol;
  readonly second: RecordingProtocol;
  /** Lets the event loop turn until `condition` holds, or the check is over. */
  readonly until: (condition: () => boolean) => Promise<void>;
}

/** Makes pairs for checks, each of which may take so long. */
export interface PairMaker {
  readonly make: MakePair;
  readonly timeoutMs: number;
}

/** The two kinds of pair that a check may ask for. */
export interface PairMakers {
  readonly makePair: PairMaker;
  /** A pair whose first end has been told to stop writing, since the second does not read. */
  readonly makeCloggedPair: PairMaker;
}

/** What a check does. */
export interface CheckDefinition {
  readonly name: string;
  readonly clogged?: true;
  readonly run: (makers: PairMakers) => Promise<void>;
}

/** What the protocols of a pair are to do. */
export interface PairHooks {
  readonly first?: ProtocolHooks;
  readonly second?: ProtocolHooks;
}

/** A transport that has failed a check may never be lost: it is waited for, but not for ever, or the failure would not be told. */
const TURNS_AFTER_FAILURE = 1_000;

/** Connects two recording protocols, does something with them, and takes the connection down, whatever came of it. */
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
    const timer = setTimeout(() => {
      reject(new DOMException(`the check took longer than ${timeoutMs} ms: the awaited event did not happen`, "TimeoutError"));
    }, timeoutMs);
    check.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** How much may be written before a transport has to ask for a pause: more than any system keeps for a peer that does not read. */
const CLOG_BYTES = 64 * 1_048_576;
const PIECE_BYTES = 65_536;
/** Turns after which nothing more is taken. */
const QUIET_TURNS = 20;

/** Clogs a pair: the second end stops reading, the first writes until it is told to stop. */
export function cloggingBy(makePair: MakePair): MakePair {
  return async (first, second) => {
    const [writing, silent] = [first, second] as [RecordingProtocol, RecordingProtocol];
    const cleanUp = await makePair(first, second);
    while (!writing.isConnected || !silent.isConnected) await turns();
    silent.transport.pauseReading();
    let sent = 0;
    // A system may take more in the turns after the first pause.
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

/** A prime, so that pieces that are lost or change places are noticed. */
const PERIOD = 251;

/** Bytes of a stream without end, from a position on. */
export function payload(length: number, from: number = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let index = 0; index < length; index += 1) bytes[index] = (from + index) % PERIOD;
  return bytes;
}

/** The end of what has come, as text: cheap enough to be asked for again and again. */
export function lastBytes(protocol: RecordingProtocol, count: number): string {
  // Each chunk has a byte at least.
  return Buffer.concat(protocol.chunks.slice(-count)).subarray(-count).toString();
}
