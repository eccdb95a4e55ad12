/**
 * Random scripts of reader operations. Number and seed make the script: the same ones everywhere, and at any time.
 *
 *     ["feed", data]              feedData(), in the same turn of the event loop as what comes next
 *     ["feedEof"]
 *     ["turn"]                    lets the read that waits see what has come
 *     ["call", method, argument]  a reading call, after a turn; if it waits, the script goes on, and a later call is a second one. "next"
 *                                 is a step of a loop over the lines. "readlines" is `readline()`, and then all lines that are there.
 *     ["cancel"]                  cancels the read that waits, and lets it end
 *     ["expire"]                  lets the read that waits see what has come, and if it still waits, its time-out ends it
 *     ["setException", message]   after a turn
 *     ["connectionLost", message] after a turn
 */
import { Random } from "../support/random.js";
import type { Data } from "./transcript.js";

/** A step of a script. */
export type ScriptStep = readonly [string, ...unknown[]];

/** A script. */
export interface Script {
  readonly limit: number;
  readonly steps: readonly ScriptStep[];
}

/** What a script may have. */
export interface ScriptOptions {
  /** Whether `readuntil` may have several separators, which needs CPython 3.13. */
  readonly severalSeparators: boolean;
}

const SMALL_LIMITS = [1, 2, 3, 4, 5, 6, 8, 12, 30];
/** Above what makes a chunk of its own in the queue, and above a block. */
const LARGE_LIMITS = [1100, 1100, 1100, 2000, 2000, 40_000];
const SEPARATORS = [";", "\r\n", "ab", "a\n", "aab", "aa", "\u0000", "\u00ff\u00fe", "abababab"];
const SEVERAL = [
  ["\n", "\r\n"],
  [";", "ab;"],
  ["aab", "b", "\n"],
  ["\r\n;", "aa"],
  ["aaaab", "ab", "b;"],
  ["aaa", "aa\n", "a;"],
];

/** The script of this number. */
export function makeScript(seed: number, number: number, options: ScriptOptions): Script {
  const dice = new Random(Math.imul(seed, 0x9e3779b1) + Math.imul(number, 0x85ebca6b));
  const limit = dice.below(20) === 0 ? dice.pick(LARGE_LIMITS) : dice.pick(SMALL_LIMITS);
  const steps: ScriptStep[] = [];
  for (let left = 6 + dice.below(20); left > 0; left -= 1) steps.push(...someSteps(dice, limit, options));
  return { limit, steps };
}

function someSteps(dice: Random, limit: number, options: ScriptOptions): ScriptStep[] {
  const roll = dice.below(100);
  if (roll < 36) return Array.from({ length: 1 + dice.below(3) }, () => ["feed", someData(dice, limit)]);
  if (roll < 46) return [["turn"]];
  if (roll < 50) return [["cancel"]];
  if (roll < 52) return [["expire"]];
  if (roll < 54) return [["feedEof"]];
  if (roll < 55) return [[dice.pick(["setException", "connectionLost"]), dice.pick(["first", "second"])]];
  return [["call", ...someCall(dice, limit, options)]];
}

function someData(dice: Random, limit: number): Data {
  const size = Math.min(dice.pick([1, 1, 1, 2, 3, 5, 8, limit, 2 * limit + 1, 3 * limit]), 70_000);
  const fill = size > 100 ? size - 10 : 0;
  const text = Array.from({ length: size - fill }, () =>
    dice.pick(["a", "a", "a", "b", "\r", "\n", ";", "ab", "\u0000", "\u00ff\u00fe"]),
  ).join("");
  return fill === 0 ? text : [[dice.pick(["a", "ab", "x"]), fill], text];
}

function someCall(dice: Random, limit: number, { severalSeparators }: ScriptOptions): readonly [string, ...unknown[]] {
  const size = (): number => dice.pick([0, 1, 1 + dice.below(2 * limit), 1 + dice.below(4 * limit), 3]);
  switch (dice.below(10)) {
    case 0:
    case 1:
      return ["readline"];
    case 2:
    case 3:
      return ["read", size()];
    case 4:
      return ["readexactly", dice.below(30) === 0 ? -1 : size()];
    case 5:
      return dice.below(3) === 0 ? ["read", dice.pick([-1, -1, -7])] : ["readline"];
    case 6: {
      const several = dice.pick(SEVERAL);
      return ["readuntil", severalSeparators ? several : (several[0] as string)];
    }
    case 7:
      return ["next"];
    case 8:
      return ["readlines"];
    default:
      return ["readuntil", dice.below(40) === 0 ? "" : dice.pick(SEPARATORS)];
  }
}
