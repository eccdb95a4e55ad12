/**
 * Real programs for the tests to talk to. Each is started for its suite alone, in a temporary directory and on a Unix socket there: never the system's instance.
 *
 * `program()` is called in the body of a `describe()`. It finds the program (one that is missing fails the file, with the package to install), starts it before the
 * suite's tests, waits until it answers, and afterwards ends it and removes its directory. A test that is made with its `it()` prints what the program
 * has printed if it fails.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { accessSync, chmodSync, constants, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { openUnixConnection } from "asyncio-streams";

/** What to start, and how. */
export interface ProgramSpec {
  /** The name of its file. */
  readonly name: string;
  /** The Debian package that it comes in. */
  readonly package: string;
  /** Its arguments; it must stay in the foreground. */
  readonly args: (program: Program) => readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What has to be there before it is started: files, mostly. */
  readonly prepare?: (program: Program) => void | Promise<void>;
  /** Rejects as long as the program does not answer. Default: connects to its socket. */
  readonly answers?: (program: Program) => Promise<unknown>;
  /** The name of its socket in the directory. Default `"s"`. */
  readonly socket?: string;
  /** Who is to run it if the tests are run by root, which some programs refuse. */
  readonly insteadOfRoot?: string;
  /** Ends it. Default `"SIGTERM"`. */
  readonly endingSignal?: NodeJS.Signals;
}

/** A program, started. */
export interface Program {
  /** Its directory. */
  readonly directory: string;
  /** The path of its socket. */
  readonly socket: string;
  /** Its process id. */
  readonly pid: number;
  /** What it has printed. */
  readonly log: string;
  /** Has this done after the last test, before the program is ended: closing connections, mostly. */
  readonly atEnd: (cleanUp: () => unknown) => void;
  /** `it()`, which prints the log if the test fails. */
  readonly it: (name: string, test: () => Promise<void> | void, options?: { readonly skip?: string | false }) => void;
}

/** Where programs lie that are not on everybody's `PATH`. */
const MORE_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin", ...postgresFolders("/usr/lib/postgresql")];

/** The newest first. */
function postgresFolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const versions = readdirSync(folder).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(folder, version, "bin"));
}

/** The path of a program; if there is none, an error that says what to install. */
export function findProgram(name: string, debianPackage: string): string {
  for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), ...MORE_FOLDERS]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  throw new Error(`${name} is not installed: Debian package ${debianPackage}; scripts/install-interop-servers.sh installs all`);
}

const isRoot = process.getuid?.() === 0;

/** A command as another user runs it, if this one is root. */
export function commandAs(user: string | undefined, command: string, args: readonly string[]): [string, ...string[]] {
  if (user === undefined || !isRoot) return [command, ...args];
  return [findProgram("setpriv", "util-linux"), `--reuid=${user}`, `--regid=${user}`, "--init-groups", command, ...args];
}

/** Runs a command to its end, as another user if this one is root; returns what it printed. */
export function runToEnd(user: string | undefined, command: string, args: readonly string[], cwd: string): string {
  const [file, ...rest] = commandAs(user, command, args);
  const { status, stdout, stderr, error } = spawnSync(file, rest, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} failed with ${status}: ${stderr}${stdout}`, { cause: error });
  return stdout;
}

/** How often a program that does not answer yet is asked again, and how long it may take to start, and to end. All in milliseconds. */
const ASK_AGAIN_MS = 10;
const START_LIMIT_MS = 60_000;
const END_LIMIT_MS = 20_000;

/** Starts a program for the suite whose body this is called in. */
export function program(spec: ProgramSpec): Program {
  const command = findProgram(spec.name, spec.package);
  const directory = mkdtempSync(join(tmpdir(), "io-"));
  const output: Buffer[] = [];
  const cleanUps: (() => unknown)[] = [];
  let child: ChildProcess | undefined;
  let ended: Promise<string> | undefined;

  const running: Program = {
    directory,
    socket: join(directory, spec.socket ?? "s"),
    get pid() {
      return child?.pid as number;
    },
    get log() {
      return Buffer.concat(output).toString();
    },
    atEnd: (cleanUp) => cleanUps.push(cleanUp),
    it(name, test, options = {}) {
      it(name, options, async () => {
        try {
          await test();
        } catch (error) {
          console.error(`---- ${spec.name} has printed:\n${running.log}----`);
          throw error;
        }
      });
    },
  };

  async function start(): Promise<void> {
    if (isRoot && spec.insteadOfRoot !== undefined) chmodSync(directory, 0o777); // whoever it is, the program has to make its files here
    process.once("exit", kill).once("SIGTERM", onTermination);
    await spec.prepare?.(running);
    const [file, ...args] = commandAs(spec.insteadOfRoot, command, spec.args(running));
    child = spawn(file, args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...spec.env } });
    child.stdout?.on("data", (data: Buffer) => output.push(data));
    child.stderr?.on("data", (data: Buffer) => output.push(data));
    ended = new Promise((resolve) => {
      child?.once("error", (error) => resolve(error.message));
      child?.once("close", (code, signal) => resolve(`ended with ${code ?? signal}`));
    });
    const untilItEnds = ended.then((how) => {
      throw new Error(`${spec.name} ${how} before it answered:\n${running.log}`);
    });
    await Promise.race([untilItAnswers(), untilItEnds]);
  }

  async function untilItAnswers(): Promise<void> {
    const deadline = AbortSignal.timeout(START_LIMIT_MS);
    while (child?.exitCode === null && child.signalCode === null) {
      try {
        await (spec.answers ?? connects)(running);
        return;
      } catch (error) {
        if (deadline.aborted) throw new Error(`${spec.name} does not answer:\n${running.log}`, { cause: error });
        await pause(ASK_AGAIN_MS);
      }
    }
  }

  function kill(): void {
    child?.kill("SIGKILL");
  }

  /** The test runner ends a file this way that has taken too long. */
  function onTermination(): void {
    console.error(`---- ${spec.name} had printed when the time was over:\n${running.log}----`);
    kill();
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 }); // the program's children may still write there
    process.exit(1);
  }

  async function end(): Promise<void> {
    try {
      for (const cleanUp of cleanUps) await cleanUp();
    } finally {
      child?.kill(spec.endingSignal ?? "SIGTERM");
      const timer = setTimeout(kill, END_LIMIT_MS);
      await ended;
      clearTimeout(timer);
      process.off("exit", kill).off("SIGTERM", onTermination);
      rmSync(directory, { recursive: true, force: true });
    }
  }

  before(start);
  after(end);
  return running;
}

async function connects({ socket }: Program): Promise<void> {
  const [, writer] = await openUnixConnection(socket);
  writer.close();
  await writer.waitClosed();
}
