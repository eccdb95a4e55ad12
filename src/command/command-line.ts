/**
 * Command lines: options, their values, and the names that are misspelt.
 *
 * `parseArgs()` of Node splits the arguments. Its own checks are not used, because their messages explain JavaScript and not the command.
 */
import { parseArgs } from "node:util";
import { UsageError } from "./failure.js";

/** An option: whether it takes a value, and its letter. */
export interface OptionSpec {
  readonly type: "string" | "boolean";
  readonly short?: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** The options that every subcommand has. */
const EVERYWHERE: OptionSpecs = { help: { type: "boolean", short: "h" } };

/** The options of a subcommand as they were given. */
export class CommandLine {
  readonly positionals: readonly string[];
  /** What follows `--`; `null` if it is not there. */
  readonly command: readonly string[] | null;
  readonly #values: ReadonlyMap<string, string | true>;

  constructor(positionals: readonly string[], command: readonly string[] | null, values: ReadonlyMap<string, string | true>) {
    this.positionals = positionals;
    this.command = command;
    this.#values = values;
  }

  /** Returns whether an option without a value is given. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return value === true ? undefined : value;
  }

  /** Returns the value of an option that must be one of some words. */
  choice<const Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if ((choices as readonly string[]).includes(value)) return value as Choice;
    throw new UsageError(`--${name} must be one of ${choices.join(", ")}, not ${quoted(value)}${suggestion(value, choices, "")}`);
  }

  /** Returns a whole number of at least `least`. */
  integer(name: string, least: number, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    const bound = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new UsageError(`--${name} must be a whole number ${bound}, not ${quoted(value)}`);
  }

  /** Returns a time in seconds, such as `2.5`, as milliseconds. */
  milliseconds(name: string, least: number = 0.001): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const seconds = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
    if (seconds >= least && seconds <= MAX_SECONDS) return Math.ceil(seconds * 1000);
    throw new UsageError(`--${name} must be a number of seconds from ${least} to ${MAX_SECONDS}, not ${quoted(value)}`);
  }

  /** Returns a file mode in octal digits. */
  mode(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (/^(?:0o?)?[0-7]{3}$/.test(value)) return Number.parseInt(value.slice(-3), 8);
    throw new UsageError(`--${name} must be three octal digits such as 660, not ${quoted(value)}`);
  }
}

/** The longest time that a timer accepts, in whole seconds. */
const MAX_SECONDS = 2_147_483;

/**
 * Splits the arguments of a subcommand.
 *
 * @throws UsageError for an unknown option, a missing value or a value that does not belong there
 */
export function parseCommandLine(subcommand: string, args: readonly string[], specs: OptionSpecs): CommandLine {
  const options = { ...EVERYWHERE, ...specs };
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const values = new Map<string, string | true>();
  const positionals: string[] = [];
  let command: string[] | null = null;
  for (const token of tokens) {
    if (token.kind === "option-terminator") command = [];
    else if (token.kind === "positional") (command ?? positionals).push(token.value);
    else values.set(token.name, valueOf(subcommand, options, token));
  }
  return new CommandLine(positionals, command, values);
}

function valueOf(
  subcommand: string,
  options: OptionSpecs,
  { name, rawName, value }: { readonly name: string; readonly rawName: string; readonly value?: string | undefined },
): string | true {
  const spec = Object.hasOwn(options, name) ? options[name] : undefined;
  if (spec === undefined) {
    const known = Object.keys(options);
    throw new UsageError(
      `${subcommand} has no option ${rawName}${suggestion(name, known, "--")} (asyncio-streams ${subcommand} --help lists all)`,
    );
  }
  if (spec.type === "boolean") {
    if (value === undefined) return true;
    throw new UsageError(`--${name} takes no value, but got ${quoted(value)}`);
  }
  if (value !== undefined && value !== "") return value;
  throw new UsageError(`--${name} needs a value`);
}

/** Returns a value as a message shows it. */
export function quoted(value: string): string {
  return JSON.stringify(value);
}

/** Returns `; did you mean ...?` if one of the names is near; an empty string otherwise. */
export function suggestion(given: string, names: readonly string[], prefix: string): string {
  const [nearest] = names
    .map((name) => ({ name, distance: name.startsWith(given) && given.length > 1 ? 1 : distance(given, name) }))
    .filter((one) => one.distance <= Math.max(2, Math.floor(one.name.length / 3)) && one.distance < one.name.length - 1)
    .sort((one, other) => one.distance - other.distance);
  return nearest === undefined ? "" : `; did you mean ${prefix}${nearest.name}?`;
}

/** The number of characters to insert, delete or replace to make one word of the other. */
function distance(one: string, other: string): number {
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [row, letter] of one.split("").entries()) {
    const next = [row + 1];
    for (const [column, otherLetter] of other.split("").entries()) {
      const replaced = (previous[column] as number) + (letter === otherLetter ? 0 : 1);
      next.push(Math.min(replaced, (previous[column + 1] as number) + 1, (next[column] as number) + 1));
    }
    previous = next;
  }
  return previous.at(-1) as number;
}
