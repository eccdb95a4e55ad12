/** `checkTransport()`: the `Transport` contract as a suite of checks, for the library's transports and for custom ones. */
import { checkFunction, checkTimeout, invalidType } from "../base/arguments.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";
import { cloggingBy, type MakePair, type TransportCheck } from "./check-context.js";
import { endingChecks } from "./checks-ending.js";
import { readingChecks } from "./checks-reading.js";
import { streamChecks } from "./checks-streams.js";
import { writingChecks } from "./checks-writing.js";

/** The default time limit of a check in milliseconds. The slowest checks take some hundreds. */
const CHECK_TIMEOUT_MS = 20_000;

/** Options of `checkTransport()`. */
export interface CheckTransportOptions {
  /** The time limit of a check in milliseconds. Default 20,000. */
  readonly timeout?: number | undefined;
}

const CHECK_TRANSPORT_OPTIONS: KnownOptions = knownOptions<CheckTransportOptions>({ timeout: true });

/**
 * Returns the conformance suite for transports: named checks, each with its own connections, to run under any test runner. The
 * library's Unix, TCP, TLS and memory transports pass it.
 *
 * @param makePair connects two protocols with transports of the kind to check
 * @param makeCloggedPair like `makePair`, but the second protocol does not read, and the call returns when the first has received
 *   `pauseWriting()`. Data flows again after `resumeReading()` on the second's transport. Default: the suite makes such a pair by
 *   pausing the second's reading and writing up to 64 MiB.
 * @param options `timeout` of each check, in milliseconds, default 20,000
 * @returns the checks; those of half-close do nothing if `canWriteEof()` is false
 * @throws TypeError `ERR_INVALID_ARG_TYPE` if a maker is not a function; RangeError `ERR_OUT_OF_RANGE` if `timeout` is not a positive
 *   integer
 *
 * @example
 * ```ts
 * import { describe, it } from "node:test";
 * import { checkTransport, connectMemory } from "asyncio-streams/testing";
 *
 * const checks = checkTransport((first, second) => {
 *   connectMemory(first, second);
 * });
 * describe("the memory transport", () => {
 *   for (const { name, run } of checks) it(name, run);
 * });
 * ```
 */
export function checkTransport(makePair: MakePair, makeCloggedPair?: MakePair, options?: CheckTransportOptions): TransportCheck[] {
  checkFunction("makePair", makePair);
  if (makeCloggedPair !== undefined) checkFunction("makeCloggedPair", makeCloggedPair);
  checkKnownOptions("checkTransport", options, CHECK_TRANSPORT_OPTIONS);
  const timeoutMs = options?.timeout === undefined ? CHECK_TIMEOUT_MS : checkTimeout("timeout", options.timeout, 1);
  const makers = {
    makePair: { make: makePair, timeoutMs },
    makeCloggedPair: { make: makeCloggedPair ?? cloggingBy(makePair), timeoutMs },
  };
  return [...readingChecks, ...writingChecks, ...endingChecks, ...streamChecks].map(({ name, clogged = false, run }) => ({
    name,
    clogged,
    run: () => run(makers),
  }));
}

/** The result of one check. */
export interface CheckResult {
  /** The name of the check. */
  readonly name: string;
  /** `null` if the check has passed, otherwise its error. */
  readonly error: unknown;
}

/**
 * Runs checks one after the other, without a test runner.
 *
 * @param checks the checks, from `checkTransport()`
 * @returns the result of each check; does not reject if a check fails
 * @throws TypeError `ERR_INVALID_ARG_TYPE` if `checks` is not an iterable of checks
 *
 * @example
 * ```ts
 * import { checkTransport, connectMemory, runChecks } from "asyncio-streams/testing";
 *
 * const results = await runChecks(checkTransport((first, second) => void connectMemory(first, second)));
 * for (const { name, error } of results) if (error !== null) console.error(name, error);
 * ```
 */
export async function runChecks(checks: Iterable<TransportCheck>): Promise<CheckResult[]> {
  if (typeof (checks as Partial<Iterable<TransportCheck>> | null | undefined)?.[Symbol.iterator] !== "function")
    throw invalidType("checks", "an iterable of checks", checks);
  const all = [...checks];
  for (const [index, check] of all.entries())
    checkFunction(`checks[${index}].run`, (check as Partial<TransportCheck> | null | undefined)?.run);
  const results: CheckResult[] = [];
  for (const check of all) {
    let error: unknown = null;
    try {
      await check.run();
    } catch (reason) {
      error = reason;
    }
    results.push({ name: check.name, error });
  }
  return results;
}
