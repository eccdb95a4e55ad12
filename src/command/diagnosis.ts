/** What is wrong with a Unix socket, and how to mend it: judges an examination of `doctor`. */
import type { Stats } from "node:fs";
import { basename, dirname } from "node:path";
import { shellWord } from "./connection.js";
import type { Examination } from "./examination.js";
import { reasonOf } from "./failure.js";
import { isRunning, probe, secondNamesOf } from "./taken-path.js";
import { accountName } from "./unix-sockets.js";

/** Something that keeps the socket from working or makes it unsafe, or that is only worth knowing. */
export interface Finding {
  readonly level: "problem" | "note";
  readonly text: string;
  /** What to do; a command where one suffices. */
  readonly mend: string;
}

const WORLD_WRITES = 0o002;
const STICKY = 0o1000;
const MAX_PATH_BYTES = 107;

/** Judges an examination. */
export async function diagnose(found: Examination): Promise<Finding[]> {
  const findings: Finding[] = [...judgeState(found), ...judgeAccess(found), ...judgeQueue(found)];
  const tap = await judgeTaps(found);
  if (tap === null) return findings;
  // A killed tap is the reason why the path is stale or missing.
  return [tap, ...findings.filter(({ level }) => tap.level === "note" || level === "note")];
}

function problem(text: string, mend: string): Finding {
  return { level: "problem", text, mend };
}

function judgeState({ state, path, failure, isLink, directories }: Examination): Finding[] {
  const word = shellWord(path);
  const parent = dirname(path);
  switch (state) {
    case "live":
      return [];
    case "missing":
      if (isLink) return [problem("it is a symbolic link that leads to nothing", `remove the link, or start the server: ls -l ${word}`)];
      if (!directories.some((one) => one.path === parent) && !canLookInto(directories))
        return [problem("this user may not look into a directory on the way", "run doctor as another user, such as root")];
      return [problem("nothing has this name", `start the server, or correct the path: ls -la ${shellWord(parent)}`)];
    case "not a socket":
      return [problem("it is a file, but not a socket", `a server refuses this path; move the file away: mv ${word} ${word}.saved`)];
    case "stale":
      return [
        problem(
          "no server listens: the socket file is left from one that was killed, or of a server that has not called listen() yet",
          `start the server; this library replaces such a file, for others remove it: rm ${word}`,
        ),
      ];
    case "stuck":
      return [
        problem(
          "the queue of the listening socket is full: the server does not accept",
          "see what the server does, such as with strace -p PID; a larger backlog only hides it",
        ),
      ];
    default:
      return [problem(`cannot connect: ${reasonOf(failure)}`, adviceFor(path, failure))];
  }
}

function canLookInto(directories: Examination["directories"]): boolean {
  const last = directories.at(-1);
  return last === undefined || grants(last.stats, 1);
}

function adviceFor(path: string, failure: unknown): string {
  const { code } = failure as { readonly code?: unknown };
  if (code === "EACCES")
    return `connecting needs the right to write to the socket: join its group, or ask its owner for chmod g+w ${shellWord(path)}`;
  if (code === "EPROTOTYPE")
    return "it is a datagram or seqpacket socket, to which a stream cannot connect: use the program that it belongs to";
  if (code === "ENAMETOOLONG") return `choose a path of at most ${MAX_PATH_BYTES} bytes`;
  return "see the error";
}

/** Whether the permission bits of a file grant something to this process: 4 to read, 2 to write, 1 to search. */
function grants(stats: Stats, bit: number): boolean {
  const uid = process.geteuid?.();
  if (uid === 0) return true;
  const groups = process.getgroups?.() ?? [];
  const shift = stats.uid === uid ? 6 : groups.includes(stats.gid) ? 3 : 0;
  return (stats.mode & (bit << shift)) !== 0;
}

function judgeAccess({ path, stats, directories }: Examination): Finding[] {
  const findings: Finding[] = [];
  const me = accountName("passwd", process.geteuid?.() ?? 0);
  for (const { path: directory, stats: at } of directories) {
    if (!grants(at, 1))
      findings.push(problem(`user ${me} may not search the directory ${directory}`, `chmod or chgrp ${shellWord(directory)}`));
    if ((at.mode & WORLD_WRITES) === 0) continue;
    if ((at.mode & STICKY) === 0)
      findings.push(
        problem(
          `every user may rename files in ${directory}, so each can put a socket of their own in the place of this one`,
          `use a directory of the server's own, or chmod o-w ${shellWord(directory)}`,
        ),
      );
    else if (directory === dirname(path))
      findings.push({
        level: "note",
        text: `every user may create files in ${directory}, so each can take the name while the server is not running`,
        mend: "use a directory of the server's own, such as one below /run",
      });
  }
  const isPrivate = directories.some(({ stats: at }) => (at.mode & 0o001) === 0);
  if (stats?.isSocket() === true && (stats.mode & WORLD_WRITES) !== 0 && !isPrivate)
    findings.push({
      level: "note",
      text: "every user of this machine may connect",
      mend: `chmod 660 ${shellWord(path)}, if that is not meant`,
    });
  return findings;
}

function judgeQueue({ waiting, state, holders }: Examination): Finding[] {
  const findings: Finding[] = [];
  if (waiting !== null && waiting > 0)
    findings.push({
      level: "note",
      text: `${waiting} ${waiting === 1 ? "client waits" : "clients wait"} to be accepted`,
      mend: "the server is busy or hangs: run doctor again, and see whether the number shrinks",
    });
  if (state === "live" && holders.length === 0 && process.platform === "linux")
    findings.push({
      level: "note",
      text: "the process that listens could not be identified",
      mend: "run doctor as root, in the network and PID namespace of the server, and on Node.js with koffi installed",
    });
  return findings;
}

/** Recognises a `tap --in-place` that was killed together with its guard: the second name of the socket is left. */
async function judgeTaps({ path, state }: Examination): Promise<Finding | null> {
  for (const { path: second, pid } of namesBeside(path)) {
    if (isRunning(pid))
      return { level: "note", text: `it is tapped by the process ${pid}`, mend: `kill ${pid} gives the path back to its server` };
    if (state === "live" || (await probe(second)) !== null)
      return { level: "note", text: `${basename(second)} is left from a tap that was killed`, mend: `rm ${shellWord(second)}` };
    return problem(
      `a tap with the process ID ${pid} was killed, and the server listens on ${basename(second)}`,
      `mv -f ${shellWord(second)} ${shellWord(path)}`,
    );
  }
  return null;
}

function namesBeside(path: string): ReturnType<typeof secondNamesOf> {
  try {
    return secondNamesOf(path);
  } catch {
    return []; // the directory does not exist, or this user may not read it
  }
}
