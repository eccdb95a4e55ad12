#!/usr/bin/env node
/**
 * The command `asyncio-streams`: chooses the subcommand, and turns its outcome into an exit code.
 *
 * It is a program on top of the library, and uses only the public entries. The library does not import it.
 *
 * Whatever fails is reported in one line on standard error. With `ASYNCIO_STREAMS_DEBUG=1`, an unexpected error has its stack, too.
 */
import { readFileSync } from "node:fs";
import { suggestion } from "./command-line.js";
import { connect } from "./connect.js";
import { doctor } from "./doctor.js";
import { codeOf, EXIT, Failure, reasonOf, UsageError } from "./failure.js";
import { HELP } from "./help.js";
import { Output, say } from "./output.js";
import { serve } from "./serve.js";
import { tap } from "./tap.js";

const SUBCOMMANDS = { connect, serve, tap, doctor } as const;

const isSubcommand = (name: string): name is keyof typeof SUBCOMMANDS => Object.hasOwn(SUBCOMMANDS, name);

async function run([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined) {
    process.stderr.write(`${HELP[""] as string}\n`);
    return EXIT.usage;
  }
  if (name === "--help" || name === "-h" || name === "help") return await print(helpFor(args[0] ?? ""));
  if (name === "--version" || name === "-V") return await print(version());
  if (!isSubcommand(name)) throw unknown(name);
  if (asksForHelp(args)) return await print(helpFor(name));
  return await SUBCOMMANDS[name](args);
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? args.length : end).some((one) => one === "--help" || one === "-h");
}

function unknown(name: string): UsageError {
  const kind = name.startsWith("-") ? "option" : "subcommand";
  const names = kind === "option" ? ["--help", "--version"] : Object.keys(SUBCOMMANDS);
  return new UsageError(`there is no ${kind} ${name}${suggestion(name, names, "")} (asyncio-streams --help lists all)`);
}

function helpFor(name: string): string {
  if (Object.hasOwn(HELP, name)) return HELP[name] as string;
  throw unknown(name);
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

async function print(text: string): Promise<number> {
  const output = new Output();
  await output.write(`${text}\n`);
  await output.flush();
  return EXIT.ok;
}

/** Reports a failure in one line. Returns the exit code. */
function report(error: unknown): number {
  const isExpected = error instanceof Failure || codeOf(error) !== undefined;
  const reason = reasonOf(error);
  if (reason !== "") say(reason);
  if (!isExpected && (process.env["ASYNCIO_STREAMS_DEBUG"] ?? "") !== "") console.error(error);
  return error instanceof Failure ? error.exitCode : EXIT.failed;
}

process.on("uncaughtException", (error) => process.exit(report(error)));
// The user cannot do anything about the warnings of a runtime, such as that an interface is experimental.
process.removeAllListeners("warning");
// The standard input may be open, and the terminal as well.
process.exit(await run(process.argv.slice(2)).catch(report));
