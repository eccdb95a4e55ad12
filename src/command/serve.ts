/**
 * `asyncio-streams serve ADDRESS -- COMMAND ...`: each client gets the standard input and output of a command of its own, as from inetd.
 *
 * The first signal stops listening; the clients may finish, and after the grace period their connections are cut and their commands get
 * SIGTERM. The second signal ends everything at once.
 */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { StreamReader, StreamWriter } from "../index.js";
import { copy } from "../index.js";
import { createSubprocessExec, PIPE } from "../process/index.js";
import { type Address, parseAddress } from "./address.js";
import { type CommandLine, type OptionSpecs, parseCommandLine, quoted } from "./command-line.js";
import { addressesOf, CERTIFICATE_OPTIONS, listen } from "./connection.js";
import { EXIT, Failure, reasonOf, UsageError } from "./failure.js";
import { say } from "./output.js";
import { environmentOf, loadCredentials, peerOf } from "./peer.js";
import { onTermination } from "./termination.js";

export const SERVE_OPTIONS: OptionSpecs = {
  ...CERTIFICATE_OPTIONS,
  echo: { type: "boolean" },
  grace: { type: "string" },
  "max-connections": { type: "string" },
  mode: { type: "string" },
  quiet: { type: "boolean", short: "q" },
  verbose: { type: "boolean", short: "v" },
};

const DEFAULT_GRACE_MS = 5_000;

/** How long a client may send, in milliseconds, after its command has ended. A reset at once would destroy the last output on its way. */
const LINGER_MS = 2_000;

const CHUNK_BYTES = 65_536;

/** Serves one client. */
type Service = (reader: StreamReader, writer: StreamWriter) => Promise<void>;

/** The commands that run. */
class Commands {
  readonly #words: readonly [program: string, ...args: string[]];
  readonly #address: Address;
  readonly #stop = new AbortController();
  readonly #pids = new Set<number>();
  readonly #running = new Set<Promise<void>>();

  constructor(words: readonly [string, ...string[]], address: Address) {
    this.#words = words;
    this.#address = address;
    process.on("exit", () => {
      for (const pid of this.#pids) signalGroup(pid, "SIGKILL");
    });
  }

  readonly serve: Service = async (reader, writer) => {
    const running = this.#run(reader, writer);
    this.#running.add(running);
    try {
      await running;
    } finally {
      this.#running.delete(running);
    }
  };

  async #run(reader: StreamReader, writer: StreamWriter): Promise<void> {
    const [program, ...args] = this.#words;
    const env = environmentOf(this.#address, writer);
    const { signal } = this.#stop;
    // A session of its own: Ctrl-C on the terminal reaches this process, which decides when the commands end.
    await using child = await createSubprocessExec(program, args, { stdin: PIPE, stdout: PIPE, env, signal, startNewSession: true });
    this.#pids.add(child.pid);
    const over = new AbortController();
    const onOver = (): void => over.abort();
    void writer.waitClosed().then(onOver, onOver); // the loss of the connection, while the command is silent
    void child.wait().then(() => signal.aborted && onOver()); // a process that it has started may keep its output open
    try {
      const stop = new AbortController();
      const input = copy(reader, child.stdin, { signal: stop.signal })
        .catch(() => reader.exception() !== null && writer.abort()) // otherwise the command does not read any more
        .finally(() => child.stdin.close());
      await copy(child.stdout, writer, { signal: over.signal });
      if (writer.canWriteEof()) writer.writeEof();
      await Promise.race([input, child.wait()]);
      stop.abort();
      await input;
      await dropRest(reader);
      writer.close();
      await child.wait();
    } catch (error) {
      signalGroup(child.pid, "SIGTERM");
      throw over.signal.aborted ? new Failure("the connection was lost before the command had ended") : error;
    } finally {
      this.#pids.delete(child.pid);
    }
  }

  /** Waits until all commands have ended, and ends them when `deadline` is aborted. */
  async end(deadline: AbortSignal): Promise<void> {
    deadline.addEventListener("abort", () => this.#stop.abort());
    if (deadline.aborted) this.#stop.abort();
    await Promise.allSettled(this.#running);
  }
}

/** Signals a command and what it has started: it leads a process group, because it has a session of its own. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
    /* c8 ignore next 3 -- all of them have ended meanwhile */
  } catch {
    return;
  }
}

/** Drops what a client still sends, until it ends too or its time is over. */
async function dropRest(reader: StreamReader): Promise<void> {
  const signal = AbortSignal.timeout(LINGER_MS);
  try {
    while ((await reader.read(CHUNK_BYTES, { signal })).length > 0);
  } catch {
    // The client has taken too long, or has reset the connection.
  }
}

const echo: Service = async (reader, writer) => {
  await copy(reader, writer);
  writer.close();
};

/** Runs the subcommand. Returns the exit code. */
export async function serve(args: readonly string[]): Promise<number> {
  const line = parseCommandLine("serve", args, SERVE_OPTIONS);
  const address = parseAddress(addressArgument(line));
  const graceMs = line.milliseconds("grace", 0) ?? DEFAULT_GRACE_MS;
  const isVerbose = line.has("verbose");
  const mode = line.mode("mode");
  const maxConnections = line.integer("max-connections", 1);
  const words = commandOf(line);
  const commands = words === null ? null : new Commands(words, address);
  const service = commands?.serve ?? echo;
  if (address.kind === "unix") await loadCredentials();
  let count = 0;
  const onClient = async (reader: StreamReader, writer: StreamWriter): Promise<void> => {
    count += 1;
    const name = `#${count}`;
    if (isVerbose) say(`${name} connected: ${peerOf(writer)}`);
    try {
      await service(reader, writer);
      if (isVerbose) say(`${name} ended`);
    } catch (error) {
      writer.abort();
      if (isVerbose) say(`${name} failed: ${reasonOf(error)}`);
    }
  };
  const ending = new Promise<void>((resolve) => onTermination(() => resolve())); // first: the socket file must not stay
  const server = await listen(address, onClient, line, { mode, maxConnections, onProblem: say });
  if (!line.has("quiet")) say(`listening on ${addressesOf(server, address)}`);
  await ending;
  const deadline = AbortSignal.timeout(graceMs);
  await Promise.all([server.shutdown({ signal: deadline, graceMs: Infinity }), commands?.end(deadline)]);
  return EXIT.ok;
}

function addressArgument({ positionals: [address, surplus] }: CommandLine): string {
  if (address === undefined) throw new UsageError("serve needs an ADDRESS, such as /run/app.sock or localhost:8080");
  if (surplus !== undefined) throw new UsageError(`serve takes one ADDRESS, but got ${quoted(surplus)}, too; write -- before the COMMAND`);
  return address;
}

/** Returns the command with its arguments; `null` with `--echo`. */
function commandOf(line: CommandLine): readonly [string, ...string[]] | null {
  const [program, ...args] = line.command ?? [];
  if (line.has("echo")) {
    if (program !== undefined) throw new UsageError("--echo and a COMMAND exclude each other");
    return null;
  }
  if (program === undefined || program === "") throw new UsageError("serve needs -- and a COMMAND, or --echo");
  checkProgram(program);
  return [program, ...args];
}

/** Finds out at the start, and not for each client, that a program does not exist. */
function checkProgram(program: string): void {
  const folders = program.includes("/") ? [""] : (process.env["PATH"] ?? "").split(delimiter);
  let isThere = false;
  for (const folder of folders) {
    const path = folder === "" ? program : join(folder, program);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue;
    isThere = true;
    try {
      accessSync(path, constants.X_OK);
      return;
    } catch {
      // Another folder may have one that can be executed.
    }
  }
  if (isThere) throw new Failure(`cannot execute ${program}: permission denied`, EXIT.cannotExecute);
  throw new Failure(`cannot find the command ${program}`, EXIT.notFound);
}
