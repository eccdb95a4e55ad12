/**
 * The names of the options of every public call, and the check that refuses other names.
 *
 * Promises: an option that a call does not have is a `TypeError` that names the call, the option, and what the call has instead.
 * Otherwise a misspelt `timeout` would be ignored, and the call would wait forever. An option whose value is `undefined` counts as absent,
 * whatever its name is.
 *
 * Only enumerable properties are seen, own and inherited ones: an object with defaults as its prototype is an options object, and so is an
 * instance of a class, whose methods are not enumerable. What a program adds to `Object.prototype` is not an option.
 *
 * Options of Node that a call passes on (`ssl`) are not checked: they differ between versions and runtimes.
 */
import { checkOptions, invalidValue, type SignalOptions } from "./arguments.js";

/** The names of a call's options. */
export type KnownOptions = ReadonlySet<string>;

/** An object with a property for each option, so that the options of one call can be spread into those of another. */
export type OptionNames<Options extends object> = { readonly [Name in keyof Required<Options>]: true };

/** Lists the names of a call's options. The compiler rejects a list that differs from the type. */
export function knownOptions<Options extends object>(names: OptionNames<Options>): KnownOptions {
  return new Set(Object.keys(names));
}

/** The options of a call that waits and has no others. */
export const WAIT_OPTIONS: KnownOptions = knownOptions<SignalOptions>({ signal: true, timeout: true });

/**
 * Checks that `options` is an options object with known names only.
 *
 * @param call the name of the call, without parentheses
 * @param argument the name of the argument or of the option that holds the options; part of the message unless it is "options"
 */
export function checkKnownOptions(call: string, options: unknown, known: KnownOptions, argument: string = "options"): void {
  if (options === undefined) return;
  checkOptions(argument, options);
  for (const name in options as object) {
    if (!known.has(name)) refuseUnlessAbsent(call, options as Readonly<Record<string, unknown>>, name, known, argument);
  }
}

function refuseUnlessAbsent(
  call: string,
  options: Readonly<Record<string, unknown>>,
  name: string,
  known: KnownOptions,
  argument: string,
): void {
  if (options[name] === undefined || isOnObjectPrototype(options, name)) return;
  const prefix = argument === "options" ? "" : `${argument}.`;
  const meant = nearest(name, known);
  const hint = meant === null ? `its options are ${list([...known].sort(), prefix)}` : `did you mean ${JSON.stringify(prefix + meant)}?`;
  throw invalidValue(`${call}() has no option ${JSON.stringify(prefix + name)}: ${hint}`);
}

/** Whether an object inherits a property from the end of its prototype chain: `Object.prototype`, of any realm. */
function isOnObjectPrototype(options: object, name: string): boolean {
  let owner: object | null = options;
  while (owner !== null && !Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner) as object | null;
  return owner !== options && owner !== null && Object.getPrototypeOf(owner) === null;
}

function list(names: readonly string[], prefix: string): string {
  const quoted = names.map((name) => prefix + name);
  const last = quoted.pop() as string;
  return quoted.length === 0 ? last : `${quoted.join(", ")} and ${last}`;
}

/** The greatest number of wrong letters in a name of more than four letters; a shorter name may have one. */
const MAX_MISTAKES = 2;

/** Returns the option that a misspelt name most likely means, or that it abbreviates or spells as in Python; `null` if there is none. */
function nearest(name: string, known: KnownOptions): string | null {
  const wanted = plain(name);
  let best: string | null = null;
  let fewest = (wanted.length > 4 ? MAX_MISTAKES : 1) + 1;
  for (const one of known) {
    const other = plain(one);
    const count = wanted.length > 2 && (other.startsWith(wanted) || wanted.startsWith(other)) ? 0 : mistakes(wanted, other);
    if (count >= fewest) continue;
    best = one;
    fewest = count;
  }
  return best;
}

function plain(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

/** Counts the letters to insert, remove or replace to get from one word to the other (Levenshtein). */
function mistakes(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let index = 0; index < from.length; index += 1) {
    const next = [index + 1];
    for (let at = 0; at < to.length; at += 1) {
      const replaced = (row[at] as number) + (from[index] === to[at] ? 0 : 1);
      next.push(Math.min(replaced, (row[at + 1] as number) + 1, (next[at] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
