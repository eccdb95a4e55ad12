/** One end of a conversation, and how its calls wait. */
import type { SignalOptions, StreamReader, StreamWriter } from "asyncio-streams";
import type { Random } from "../test/support/random.js";
import type { Conversation, Ledger, Side } from "./ledger.js";
import type { Cruelty } from "./options.js";
import { pause } from "./pauses.js";
import type { Giving } from "./plan.js";
import type { Owner, Retained } from "./retained.js";

/** What every end of a conversation shares. */
export interface Keepers {
  readonly ledger: Ledger;
  readonly retained: Retained;
  /** The cruelties that the run leaves out. */
  readonly without: ReadonlySet<Cruelty>;
}

/** One end of a conversation. */
export interface End extends Keepers {
  readonly side: Side;
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
  readonly conversation: Conversation;
  /** Which memory it gives away. */
  readonly gives: Giving;
  /** Whose memory the chunks of this end are. */
  readonly owner: Owner;
}

/** Counts a cruelty of this end. */
export function countCruelty({ ledger, conversation }: End, what: string): void {
  ledger.countCruelty(what, conversation.route.name);
}

/** Notes that this end gave memory of its connection away: from now on the connection may fail. */
export function noteGift({ owner, conversation, side }: End): void {
  owner.gave = true;
  conversation.giver = side;
}

/** Never aborted: listeners that the calls leave on it would pile up, and show in the memory. */
const forever = new AbortController().signal;

/** Waits of a call: none, the signal that never comes, one that comes at any moment, a time-out. */
export function randomOptions(random: Random): SignalOptions | undefined {
  switch (random.int(0, 7)) {
    case 0:
      return { signal: forever };
    case 1:
      return { timeout: random.int(0, 3) };
    case 2:
    case 3:
      return { signal: soonAborted(random) };
    default:
      return undefined;
  }
}

/** A wait that ends soon, by a time-out or by a signal. */
export function shortWait(random: Random): SignalOptions {
  return random.chance(0.5) ? { timeout: random.int(0, 3) } : { signal: soonAborted(random) };
}

function soonAborted(random: Random): AbortSignal {
  const controller = new AbortController();
  void pause(random.fork(), 3).then(() => controller.abort());
  return controller.signal;
}

/** Whether a call rejected because its wait was given up. */
export function isGivenUp(error: unknown): boolean {
  const { name } = error as { readonly name?: unknown };
  return name === "AbortError" || name === "TimeoutError";
}
