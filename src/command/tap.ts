/**
 * `asyncio-streams tap LISTEN TARGET` and `tap --in-place PATH`: a relay that prints what passes through it.
 *
 * The first signal stops listening, or gives the path of a live server back. The connections that exist go on until they end: at most for
 * the grace period, which is not limited in place, because they are those of a live server. The second signal cuts them.
 */
import type { Server, StreamReader, StreamWriter } from "../index.js";
import { parseAddress } from "./address.js";
import { type CommandLine, type OptionSpecs, parseCommandLine, quoted } from "./command-line.js";
import { addressesOf, CERTIFICATE_OPTIONS, CLIENT_TLS_OPTIONS, listen, open, type Pair, targetOf } from "./connection.js";
import { EXIT, reasonOf, UsageError } from "./failure.js";
import { Output, say } from "./output.js";
import { loadCredentials, peerOf } from "./peer.js";
import { relayWithTranscript } from "./relay.js";
import { TakenPath } from "./taken-path.js";
import { onTermination } from "./termination.js";
import { FORMATS, isColoured, Transcript } from "./transcript.js";

export const TAP_OPTIONS: OptionSpecs = {
  ...CLIENT_TLS_OPTIONS,
  ...CERTIFICATE_OPTIONS,
  color: { type: "string" },
  format: { type: "string" },
  grace: { type: "string" },
  "in-place": { type: "boolean" },
  json: { type: "boolean" },
  "max-bytes": { type: "string" },
  mode: { type: "string" },
  only: { type: "string" },
  quiet: { type: "boolean", short: "q" },
};

const DEFAULT_GRACE_MS = 5_000;

/** How often to check, in milliseconds, that a path which was taken over still leads here. */
const CHECK_MS = 1_000;

/** The relay with its options. */
class Tap {
  readonly #transcript: Transcript;
  readonly #output: Output = new Output();
  /** Fulfilled if the transcript cannot be written any more. The connections go on without it. */
  readonly lost: Promise<void>;
  #onLost: () => void = () => {};
  #failure: unknown = null;
  #count = 0;

  constructor(line: CommandLine) {
    const json = line.has("json");
    const write = (text: string): Promise<void> => this.#write(text);
    this.#transcript = new Transcript(write, {
      json,
      only: line.choice("only", ["in", "out"]),
      format: line.choice("format", FORMATS) ?? "auto",
      maxBytes: line.integer("max-bytes", 0),
      isColoured: !json && isColoured(line.choice("color", ["auto", "always", "never"])),
    });
    this.lost = new Promise((resolve) => {
      this.#onLost = resolve;
    });
  }

  async #write(text: string): Promise<void> {
    if (this.#failure !== null) return;
    try {
      await this.#output.write(text);
    } catch (error) {
      this.#failure ??= error;
      this.#onLost();
    }
  }

  /** Relays a client to what `openTarget` connects to. */
  async relay(openTarget: () => Promise<Pair>, reader: StreamReader, writer: StreamWriter): Promise<void> {
    this.#count += 1;
    const connection = this.#count;
    await this.#transcript.opened(connection, peerOf(writer));
    const pair = await this.#open(connection, openTarget, writer);
    if (pair !== null) await relayWithTranscript(connection, [reader, writer], pair, this.#transcript);
  }

  async #open(connection: number, openTarget: () => Promise<Pair>, client: StreamWriter): Promise<Pair | null> {
    try {
      return await openTarget();
    } catch (error) {
      client.abort();
      await this.#transcript.failed(connection, reasonOf(error));
      return null;
    }
  }

  /** @throws Failure if the transcript could not be written */
  async end(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    await this.#output.flush();
  }
}

/** Runs the subcommand. Returns the exit code. */
export async function tap(args: readonly string[]): Promise<number> {
  const line = parseCommandLine("tap", args, TAP_OPTIONS);
  const running = new Tap(line);
  const graceMs = line.milliseconds("grace", 0);
  if (line.has("in-place")) await tapInPlace(line, running, graceMs);
  else await tapBetween(line, running, graceMs ?? DEFAULT_GRACE_MS);
  await running.end();
  return EXIT.ok;
}

async function tapBetween(line: CommandLine, running: Tap, graceMs: number): Promise<void> {
  const [listening, given] = addressArguments(line, ["LISTEN", "TARGET"]);
  const address = parseAddress(listening as string);
  const target = targetOf(parseAddress(given as string), line, false);
  const relay = (reader: StreamReader, writer: StreamWriter): Promise<void> => running.relay(() => open(target, undefined), reader, writer);
  await loadCredentials(); // for the process at the other end, and to pass resets on
  const server = await listen(address, relay, line, { mode: line.mode("mode"), onProblem: say });
  if (!line.has("quiet")) say(`${addressesOf(server, address)} leads to ${target.address.text}`);
  await Promise.race([firstSignal(), running.lost]);
  server.close();
  await finish(server, graceMs, line.has("quiet"));
}

async function tapInPlace(line: CommandLine, running: Tap, graceMs: number | undefined): Promise<void> {
  const [path] = addressArguments(line, ["PATH"]);
  for (const name of ["mode", "cert", "key", ...Object.keys(CLIENT_TLS_OPTIONS)])
    if (line.has(name)) throw new UsageError(`--${name} has no meaning with --in-place: the server's own socket is used`);
  const address = parseAddress(path as string);
  if (address.kind !== "unix" || address.path.startsWith("\0"))
    throw new UsageError(`--in-place needs the path of a Unix socket, not ${quoted(address.text)}`);
  await loadCredentials();
  const signalled = firstSignal();
  await using taken = await TakenPath.prepare(address.path);
  const target = targetOf(address, line, false);
  const openTarget = (): Promise<Pair> => taken.connect((path) => open({ ...target, address: { ...address, path } }, undefined));
  const relay = (reader: StreamReader, writer: StreamWriter): Promise<void> => running.relay(openTarget, reader, writer);
  const server = await taken.takeOver((access) => listen(taken.address, relay, line, { ...access, onProblem: say }));
  if (!line.has("quiet")) say(`${address.text} is tapped; Ctrl-C gives it back to its server`);
  let timer: NodeJS.Timeout | undefined;
  const gone = new Promise<string>((resolve) => {
    timer = setInterval(() => !taken.isOurs() && resolve(`${address.text} does not lead here any more: its server has ended`), CHECK_MS);
  });
  try {
    const reason = await Promise.race([signalled, running.lost, gone]);
    if (typeof reason === "string") say(reason);
  } finally {
    clearInterval(timer);
    if (taken.giveBack() && !line.has("quiet")) say(`${address.text} is given back to its server`);
    server.close(); // accepts those who have connected already
  }
  await finish(server, graceMs ?? Infinity, line.has("quiet"));
}

function firstSignal(): Promise<void> {
  return new Promise((resolve) => onTermination(() => resolve()));
}

/** Lets the connections end, for `graceMs` at most. */
async function finish(server: Server, graceMs: number, isQuiet: boolean): Promise<void> {
  const { active } = server.getStats();
  if (active > 0 && !isQuiet)
    say(`${active} ${active === 1 ? "connection goes" : "connections go"} on; a second signal cuts ${active === 1 ? "it" : "them"}`);
  const timer = graceMs === Infinity ? undefined : setTimeout(() => server.abortClients(), graceMs);
  await server.waitClosed();
  clearTimeout(timer);
}

function addressArguments(line: CommandLine, names: readonly string[]): readonly string[] {
  const given = [...line.positionals, ...(line.command ?? [])];
  const usage = names.length === 1 ? "tap --in-place PATH" : "tap LISTEN TARGET";
  const missing = names[given.length];
  if (missing !== undefined) throw new UsageError(`tap needs ${missing}: asyncio-streams ${usage}`);
  if (given.length > names.length)
    throw new UsageError(`too many arguments, from ${quoted(given[names.length] as string)} on: asyncio-streams ${usage}`);
  return given;
}
