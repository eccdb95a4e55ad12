/**
 * `TakenPath`: the path of a live server that `tap --in-place` uses for a time.
 *
 * Theory of operation
 *
 * 1. `link()` gives the server's socket a second name, `.NAME.tap-PID`, in the same directory. The server does not notice.
 * 2. A socket of ours, with the mode and the owner of the server's, replaces the path by `rename()`, which is atomic: a client reaches the
 *    server or this process, and is never refused. (`startUnixServer()` with `takeover` does that.)
 * 3. At the end, `rename()` of the second name over the path puts the server's socket back, which is atomic again. Clients that have
 *    connected to ours and wait to be accepted are still accepted, and reach the server by its path.
 *
 * Whatever ends this process, the path is given back: by `giveBack()` at an orderly end, in the handler of 'exit' after a signal or an
 * uncaught error, and after SIGKILL by a guard. The guard is a shell that waits for the end of a pipe. If both are killed, the next start
 * on the path finds the second name, whose PID is of no living process, and renames it back; `doctor` reports it.
 *
 * The path is only given back if it still leads to our socket, by inode. If it does not, the server has ended and removed it, or another
 * has replaced it. Then the second name is removed.
 */
import { linkSync, lstatSync, readdirSync, realpathSync, renameSync, type Stats, unlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { openUnixConnection, type Server } from "../index.js";
import { createSubprocessExec, DEVNULL, PIPE, type ProcessOf } from "../process/index.js";
import type { UnixAddress } from "./address.js";
import type { Listening } from "./connection.js";
import { codeOf, Failure, reasonOf } from "./failure.js";
import { say } from "./output.js";

/** How long a server may take to accept the probe, in milliseconds. */
const PROBE_MS = 5_000;

/**
 * The guard: after the end of its input without the second line, it does what `giveBack()` does. Its arguments are the path, the second
 * name, and the inode of the server's socket; the first line is the inode of ours. Without that line, see `isOurs()`.
 */
const GUARD = `set -f
read -r ours
read -r done && exit 0
set -- "$1" "$2" "$3" $(ls -di -- "$1" 2>/dev/null)
now=$4
if [ -z "$now" ]; then give_back=
elif [ -n "$ours" ]; then [ "$now" = "$ours" ]; give_back=$?
else [ "$now" != "$3" ]; give_back=$?
fi
if [ "$give_back" = 0 ] && [ -S "$2" ]; then mv -f -- "$2" "$1"; else rm -f -- "$2"; fi`;

type Guard = ProcessOf<typeof PIPE, typeof DEVNULL, typeof DEVNULL>;

/** A second name that a tap has given to the socket of a server. */
export interface SecondName {
  readonly path: string;
  readonly pid: number;
}

/** Returns the second names of a socket, by taps that run or were killed. */
export function secondNamesOf(path: string): SecondName[] {
  const prefix = `.${basename(path)}.tap-`;
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => ({ path: join(dirname(path), name), pid: Number(name.slice(prefix.length)) }));
}

/** Returns whether a process exists. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/** Returns `null` if a server accepts a connection to a path, otherwise the error. */
export async function probe(path: string): Promise<unknown> {
  try {
    const [, writer] = await openUnixConnection(path, { timeout: PROBE_MS });
    writer.close();
    return null;
  } catch (error) {
    return isReset(error) ? null : error;
  }
}

/** Bun: fails to connect to a server that accepts and closes at once. */
export function isReset(error: unknown): boolean {
  return codeOf(error) === "ECONNRESET";
}

export class TakenPath implements AsyncDisposable {
  readonly #path: string;
  /** The second name of the server's socket. */
  readonly #hidden: string;
  readonly #original: Stats;
  #ours: Stats | null = null;
  #guard: Guard | null = null;
  #isHidden = false;

  private constructor(path: string, original: Stats) {
    this.#path = path;
    this.#original = original;
    this.#hidden = join(dirname(path), `.${basename(path)}.tap-${process.pid}`);
  }

  /**
   * Checks a path, and repairs what a killed tap has left there.
   *
   * @throws Failure if no server listens on it, or another tap is in front of it
   */
  static async prepare(given: string): Promise<TakenPath> {
    const path = resolved(given);
    for (const second of secondNamesOf(path)) await repair(path, second);
    const original = lstatSync(path, { throwIfNoEntry: false });
    if (original === undefined) throw new Failure(`cannot tap ${given}: no such file (ENOENT)`);
    if (!original.isSocket()) throw new Failure(`cannot tap ${given}: it is not a socket`);
    const taken = new TakenPath(path, original);
    if (Buffer.byteLength(taken.#hidden) > MAX_PATH_BYTES) throw new Failure(`cannot tap ${given}: ${TOO_LONG}`);
    const failure = await probe(path);
    if (failure !== null) throw new Failure(`cannot tap ${given}: ${reasonOf(failure)}`);
    return taken;
  }

  get address(): UnixAddress {
    return { kind: "unix", path: this.#path, text: this.#path };
  }

  /** Puts a server of ours in the place of the other one. */
  async takeOver(start: (access: Pick<Listening, "mode" | "owner" | "takeover">) => Promise<Server>): Promise<Server> {
    process.on("exit", () => this.giveBack());
    await this.#startGuard();
    const { mode, uid, gid } = this.#original;
    const owner = uid === process.geteuid?.() && gid === process.getegid?.() ? undefined : { uid, gid };
    this.#hide();
    try {
      const server = await start({ mode: mode & 0o777, owner, takeover: true });
      this.#ours = lstatSync(this.#path);
      await this.#tellGuard(this.#ours.ino);
      return server;
    } catch (error) {
      this.#unhide();
      throw error;
    }
  }

  #hide(): void {
    try {
      linkSync(this.#path, this.#hidden);
    } catch (error) {
      // Linux lets only the owner of a file link it, and only root give ours the same owner (`fs.protected_hardlinks`).
      const who = codeOf(error) === "EPERM" ? ": only root and the owner of the socket can tap it" : "";
      throw new Failure(`cannot tap ${this.#path}: ${reasonOf(error)}${who}`);
    }
    this.#isHidden = true;
  }

  /** Undoes `#hide()`: a rename between two names of one file does nothing, so the second name is removed as well. */
  #unhide(): void {
    renameSync(this.#hidden, this.#path);
    unlinkIfThere(this.#hidden);
    this.#isHidden = false;
  }

  /**
   * Returns whether the path leads to our socket. In the moment in which our socket has the path and its inode is not known yet, this is
   * any socket but the server's.
   */
  isOurs(): boolean {
    const now = lstatSync(this.#path, { throwIfNoEntry: false });
    if (now === undefined) return false;
    return this.#ours === null ? !isSameFile(now, this.#original) : isSameFile(now, this.#ours);
  }

  /** Connects to the server by the name that it has now: a client of ours may still be accepted after the path was given back. */
  async connect<Pair>(open: (path: string) => Promise<Pair>): Promise<Pair> {
    const wasHidden = this.#isHidden;
    try {
      return await open(wasHidden ? this.#hidden : this.#path);
    } catch (error) {
      if (wasHidden && !this.#isHidden) return await open(this.#path);
      throw error;
    }
  }

  /** Gives the path back. Returns whether there was something to give back. */
  giveBack(): boolean {
    if (!this.#isHidden) return false;
    this.#isHidden = false;
    const isGivenBack = this.isOurs();
    if (isGivenBack) renameSync(this.#hidden, this.#path);
    else unlinkIfThere(this.#hidden);
    return isGivenBack;
  }

  async #startGuard(): Promise<void> {
    try {
      const args = ["-c", GUARD, "asyncio-streams-guard", this.#path, this.#hidden, `${this.#original.ino}`];
      this.#guard = await createSubprocessExec("/bin/sh", args, { stdin: PIPE, stdout: DEVNULL, stderr: DEVNULL, startNewSession: true });
      /* c8 ignore next 3 -- a system without /bin/sh, or one that is out of processes */
    } catch (error) {
      say(`cannot start the guard, so kill -9 of this process would not give the path back: ${reasonOf(error)}`);
    }
  }

  /** Sends the inode of our socket. The tap goes on if the guard has ended: it is needed only if this process is killed. */
  async #tellGuard(inode: number): Promise<void> {
    const stdin = this.#guard?.stdin;
    stdin?.write(`${inode}\n`);
    await stdin?.flush().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.giveBack();
    if (this.#guard === null) return;
    this.#guard.stdin.write("done\n".repeat(2));
    this.#guard.stdin.close();
    await this.#guard.wait();
  }
}

function isSameFile(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/** The longest path of a Unix socket, in bytes. */
const MAX_PATH_BYTES = process.platform === "linux" ? 107 : 103;
const TOO_LONG = `the second name of its socket would be longer than ${MAX_PATH_BYTES} bytes`;

/** Follows a symbolic link, because the tap replaces the socket and not the link. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const directory = dirname(path);
    // A killed tap may have left only the second name.
    if (codeOf(error) === "ENOENT" && lstatSync(directory, { throwIfNoEntry: false }) !== undefined) return path;
    throw new Failure(`cannot tap ${path}: ${reasonOf(error)}`);
  }
}

/** Gives the path back on behalf of a tap that was killed. */
async function repair(path: string, { path: hidden, pid }: SecondName): Promise<void> {
  if (isRunning(pid)) throw new Failure(`cannot tap ${path}: it is tapped already, by the process ${pid}`);
  const isStale = (await probe(hidden)) !== null;
  const isFree = (await probe(path)) !== null;
  if (isStale || !isFree) unlinkIfThere(hidden);
  else {
    renameSync(hidden, path);
    say(`${path} is given back to its server: a tap with the process ID ${pid} was killed`);
  }
}

function unlinkIfThere(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) unlinkSync(path);
}
