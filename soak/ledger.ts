/** What has happened so far, and whether it may have. */
import { runtime } from "../test/support/runtime.js";
import type { Route } from "./route.js";

/** Errors of a connection that somebody cut off on purpose. Any other is a finding. */
const ERRORS_OF_A_CUT: ReadonlySet<unknown> = new Set([
  "ABORT_ERR",
  "ECONNRESET",
  "EPIPE",
  "ERR_INCOMPLETE_READ",
  "ERR_LINE_TOO_LONG",
  // Bun: what is written to a connection that has just been lost, and to a socket whose handle is gone.
  "ERR_SOCKET_CLOSED",
  "EBADF",
  // Deno: the same over TLS.
  "ERR_STREAM_WRITE_AFTER_END",
  // A Duplex that was destroyed.
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/** Findings of a kind that are printed in full. */
const MOST_TOLD = 3;

/** Findings are of one kind if they begin alike, but for numbers. */
const KIND_LENGTH = 60;

/** The ends of a conversation. */
export type Side = "client" | "server";

/** The connection ended before all had come. */
export class Cut extends Error {
  readonly code = "ECONNRESET";
}

/** Wrong bytes have come, and are reported: the conversation makes no sense any more. */
export class WrongBytes extends Error {}

/** A conversation, as both of its ends know it. */
export interface Conversation {
  readonly id: number;
  readonly route: Route;
  /** What is planned, for whoever has to find out what went wrong. */
  readonly plan: object;
  /** Whether it is to be cut off: then not everything arrives, but what arrives is right. */
  readonly rude: boolean;
  /** When it began, by the clock of `performance`. */
  readonly begun: number;
  /** The route's restarts when it began. */
  readonly restartsBefore: number;
  /** The end that has given memory of its connection away: then the connection may fail. */
  giver: Side | null;
  /** Whether something was found: then what follows from it is of no account. */
  broken: boolean;
  /** Descriptors that each end has sent, and taken. */
  readonly sent: Record<Side, number>;
  readonly taken: Record<Side, number>;
  /** The ends that have come to the end in an orderly way, if the route carries descriptors. */
  readonly finished: Set<Side>;
  /** Exchanges that the server has done. */
  exchangesServed: number;
  /** Set when the server has begun with it; fulfilled when it is through. */
  served: Promise<void> | null;
}

export class Ledger {
  readonly #conversations = new Map<number, Conversation>();
  readonly #counts = new Map<string, number>();
  readonly #cruelties = new Map<string, Map<string, number>>();
  readonly findings: string[] = [];
  bytesChecked = 0;
  /** The conversation that took the longest, as text. */
  longest: { readonly ms: number; readonly what: string } = { ms: 0, what: "" };
  wrongBytes = 0;
  unhandled = 0;

  begin(conversation: Conversation): void {
    this.#conversations.set(conversation.id, conversation);
  }

  find(id: number): Conversation | undefined {
    return this.#conversations.get(id);
  }

  end(conversation: Conversation): void {
    this.#conversations.delete(conversation.id);
    this.#compareDescriptors(conversation);
    const ms = performance.now() - conversation.begun;
    if (ms > this.longest.ms) this.longest = { ms, what: describe(conversation) };
  }

  #compareDescriptors(conversation: Conversation): void {
    const { sent, taken, finished, broken, rude } = conversation;
    this.count("descriptors: taken", taken.client + taken.server);
    if (finished.size < 2 || broken || rude) return; // an abort closes what was not taken
    for (const [from, to] of [
      ["client", "server"],
      ["server", "client"],
    ] as const)
      if (sent[from] !== taken[to]) this.report(`${taken[to]} of ${sent[from]} descriptors have come from the ${from}`, conversation);
  }

  get underWay(): number {
    return this.#conversations.size;
  }

  count(what: string, by: number = 1): void {
    this.#counts.set(what, this.counted(what) + by);
  }

  counted(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** The counts whose names begin with `prefix`, without it. */
  *counts(prefix: string): Generator<readonly [string, number]> {
    for (const [what, count] of this.#counts) if (what.startsWith(prefix)) yield [what.slice(prefix.length), count];
  }

  /** Counts a cruelty, and where it was committed. */
  countCruelty(what: string, where: string, by: number = 1): void {
    const places = this.#cruelties.get(what) ?? new Map<string, number>();
    this.#cruelties.set(what, places);
    places.set(where, (places.get(where) ?? 0) + by);
  }

  /** How often each cruelty was committed, by place. */
  get cruelties(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    return this.#cruelties;
  }

  /**
   * Compares what came with what was sent, byte by byte.
   *
   * @throws WrongBytes after it has reported them
   */
  check(bytes: Buffer, expected: Buffer, conversation: Conversation): void {
    this.bytesChecked += bytes.length;
    if (bytes.length <= expected.length && bytes.equals(expected.subarray(0, bytes.length))) return;
    const first = bytes.findIndex((byte, index) => byte !== expected[index]);
    this.wrongBytes += bytes.length - first;
    const what = `byte ${first} of ${bytes.length} is wrong`;
    this.report(what, conversation);
    throw new WrongBytes(what);
  }

  /**
   * An error of one end: of no account if the connection was cut on purpose, else a finding. The server may not know yet whom it talks
   * to; if it should not have been cut, its other end will tell.
   */
  judge(error: unknown, conversation: Conversation | undefined, end: Side): void {
    if (error instanceof WrongBytes || isOfDeno(error)) return;
    const replaced = conversation !== undefined && conversation.route.restarts > conversation.restartsBefore;
    const mayBeCut = conversation === undefined || conversation.rude || replaced || conversation.giver !== null || conversation.broken;
    const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
    // A new server on TCP has another port; one on a path takes over without a gap.
    const tooLate = replaced && code === "ECONNREFUSED" && typeof conversation.route.address !== "string";
    if (tooLate || (mayBeCut && (ERRORS_OF_A_CUT.has(code) || name === "AbortError"))) this.count(`cut: ${end}`);
    // Its own unread bytes may have gone with the memory: any error that has a code tells so.
    else if (conversation?.giver === end && typeof code === "string") this.count(`cut: ${end}, by memory given away (${code})`);
    else this.report(`${end}: ${String(code)} ${error instanceof Error ? error.stack : String(error)}`, conversation);
  }

  report(what: string, conversation?: Conversation): void {
    if (conversation !== undefined) conversation.broken = true;
    this.findings.push(what);
    const kind = `finding: ${(what.split("\n")[0] as string).replaceAll(/\d+/g, "n").slice(0, KIND_LENGTH)}`;
    this.count(kind);
    if (this.counted(kind) > MOST_TOLD) return;
    console.error(`FINDING ${what}${conversation === undefined ? "" : ` (${describe(conversation)})`}`);
  }
}

/** Deno: a TLS connection that is closed behind much unread data may run into the time-out of the TLS shutdown. See docs/reliability.md. */
function isOfDeno(error: unknown): boolean {
  return runtime === "deno" && String(error).includes("the TLS shutdown took longer");
}

function describe({ route, plan }: Conversation): string {
  return `${route.name} ${JSON.stringify(plan)}`;
}
