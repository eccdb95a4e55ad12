/**
 * Time-outs of waits. Those of the same length share one timer of the runtime, because most waits end long before their time-out.
 *
 * Theory of operation
 *
 * Time-outs of the same length end in the order in which they began. So they form a list, and one timer watches its first entry. An entry
 * that is stopped leaves the list, and the timer stays. When it fires, it ends the entries whose time has come, and is set again for the
 * next one. Beginning and stopping a time-out therefore costs a few links, a fifth of what a timer costs.
 *
 * A timer keeps the process alive only while its list has entries. It is created outside every `AsyncLocalStorage` context, because it
 * would keep the context of one call alive for the others.
 */
import { AsyncResource } from "node:async_hooks";
import { clearTimeout, monotonicMs, setTimeout } from "./scheduling.js";

/** Maximum number of lists without entries whose timers stay. */
const MAX_IDLE_LISTS = 64;

/** The runtime's timers may fire this much early, in milliseconds: their clock advances in whole ones. */
const CLOCK_STEP_MS = 1;

const noContext = new AsyncResource("asyncio-streams timeouts");

/** A time-out that has begun. */
export class Timeout {
  readonly list: TimeoutList;
  /** When it ends, by the monotonic clock. */
  readonly endsAt: number;
  readonly callback: () => void;
  before: Timeout | null = null;
  after: Timeout | null = null;
  /** Whether it is in the list. */
  isWaiting = true;

  constructor(list: TimeoutList, endsAt: number, callback: () => void) {
    this.list = list;
    this.endsAt = endsAt;
    this.callback = callback;
  }
}

/** The time-outs of one length. */
class TimeoutList {
  readonly #ms: number;
  #first: Timeout | null = null;
  #last: Timeout | null = null;
  #timer: NodeJS.Timeout;
  /** Whether it got an entry since it was added to `idleLists`. */
  #isInUse = false;

  constructor(ms: number) {
    this.#ms = ms;
    this.#timer = this.#makeTimer(ms);
  }

  #makeTimer(ms: number): NodeJS.Timeout {
    return noContext.runInAsyncScope(() => setTimeout(() => this.#fire(), ms));
  }

  add(callback: () => void): Timeout {
    const added = new Timeout(this, monotonicMs() + this.#ms, callback);
    this.#isInUse = true;
    if (this.#last === null) {
      this.#first = added;
      this.#timer.ref();
    } else {
      this.#last.after = added;
      added.before = this.#last;
    }
    this.#last = added;
    return added;
  }

  remove(timeout: Timeout): void {
    if (!timeout.isWaiting) return;
    timeout.isWaiting = false;
    const { before, after } = timeout;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    timeout.before = timeout.after = null;
    if (this.#first === null) this.#rest();
  }

  /** The list is empty: its timer stays for the next entry, unless there are many such lists. */
  #rest(): void {
    this.#timer.unref();
    if (idleLists.has(this)) return;
    idleLists.add(this);
    this.#isInUse = false;
    if (idleLists.size > MAX_IDLE_LISTS) TimeoutList.#evict();
  }

  /** Removes the list that has been idle for longest. One that was used in the meantime is spared, so a common length keeps its timer. */
  static #evict(): void {
    for (const list of idleLists) {
      idleLists.delete(list);
      if (list.#isInUse) {
        list.#isInUse = false;
        if (list.#first === null) idleLists.add(list);
        continue;
      }
      clearTimeout(list.#timer);
      list.#forget();
      break;
    }
  }

  #forget(): void {
    idleLists.delete(this);
    if (lists.get(this.#ms) === this) lists.delete(this.#ms);
  }

  #fire(): void {
    try {
      this.#endDue();
    } finally {
      // Also if a callback has thrown: the others must end.
      if (this.#first === null) this.#forget();
      else this.#timer = this.#makeTimer(Math.max(1, Math.ceil(this.#first.endsAt - monotonicMs()))); // the callbacks may have taken longer
    }
  }

  #endDue(): void {
    const now = monotonicMs() + CLOCK_STEP_MS;
    while (this.#first !== null && this.#first.endsAt <= now) {
      const ended = this.#first;
      this.#first = ended.after;
      if (this.#first === null) this.#last = null;
      else this.#first.before = null;
      ended.isWaiting = false;
      ended.after = null;
      ended.callback();
    }
  }
}

/** The lists by length in milliseconds. */
const lists = new Map<number, TimeoutList>();
/** The lists without entries, and some that have got entries since. */
const idleLists = new Set<TimeoutList>();

/**
 * Calls back once after `ms` milliseconds, unless it is stopped before; never if that is `Infinity`. What the callback throws is an
 * uncaught exception.
 */
export function startTimeout(ms: number, callback: () => void): Timeout | undefined {
  if (ms === Infinity) return undefined;
  let list = lists.get(ms);
  if (list === undefined) {
    list = new TimeoutList(ms);
    lists.set(ms, list);
  }
  return list.add(callback);
}

/** Stops a time-out; nothing happens if it has ended. */
export function stopTimeout(timeout: Timeout | undefined): void {
  timeout?.list.remove(timeout);
}
