/** `asyncio-streams doctor PATH`: reports who listens on a Unix socket, what is wrong with it, and how to mend that. */
import { dirname } from "node:path";
import { parseAddress } from "./address.js";
import { type CommandLine, type OptionSpecs, parseCommandLine, quoted } from "./command-line.js";
import { diagnose, type Finding } from "./diagnosis.js";
import { type Examination, examine } from "./examination.js";
import { EXIT, UsageError } from "./failure.js";
import { Output } from "./output.js";
import { accountName } from "./unix-sockets.js";

export const DOCTOR_OPTIONS: OptionSpecs = { json: { type: "boolean" } };

/** Runs the subcommand. Returns the exit code: 0 if there is no problem, 1 if there is one. */
export async function doctor(args: readonly string[]): Promise<number> {
  const line = parseCommandLine("doctor", args, DOCTOR_OPTIONS);
  const found = await examine(pathArgument(line));
  const findings = await diagnose(found);
  const output = new Output();
  await output.write(line.has("json") ? `${JSON.stringify(report(found, findings))}\n` : printed(found, findings));
  await output.flush();
  return findings.some(({ level }) => level === "problem") ? EXIT.failed : EXIT.ok;
}

function pathArgument({ positionals, command }: CommandLine): string {
  const [path, surplus] = [...positionals, ...(command ?? [])];
  if (path === undefined) throw new UsageError("doctor needs the PATH of a Unix socket");
  if (surplus !== undefined) throw new UsageError(`doctor takes one PATH, but got ${quoted(surplus)}, too`);
  const address = parseAddress(path);
  if (address.kind === "unix" && !address.path.startsWith("\0")) return address.path;
  throw new UsageError(`doctor examines the path of a Unix socket, not ${quoted(path)}`);
}

const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, "0");

/** The report for machines. */
function report(found: Examination, findings: readonly Finding[]): object {
  const { path, state, stats, holders, waiting, connections, longestQueue, peer } = found;
  const directory = found.directories.at(-1);
  return {
    path,
    state,
    listeners: holders,
    peer: peer === null ? null : { pid: peer.pid, uid: peer.uid, gid: peer.gid },
    mode: stats === null ? null : octal(stats.mode),
    uid: stats?.uid ?? null,
    gid: stats?.gid ?? null,
    directory: directory === undefined ? null : { path: directory.path, mode: octal(directory.stats.mode), uid: directory.stats.uid },
    waiting,
    longestQueue,
    connections,
    findings,
  };
}

/** The report for people. */
function printed(found: Examination, findings: readonly Finding[]): string {
  const { path, state, stats, holders, peer, waiting, connections, longestQueue, directories } = found;
  const user = (uid: number): string => accountName("passwd", uid);
  const group = (gid: number): string => accountName("group", gid);
  const rows: [label: string, text: string][] = holders.map(({ pid, command, uid }) => [
    "listens",
    `pid ${pid}, user ${user(uid)}: ${command}`,
  ]);
  if (peer !== null) rows.push(["credentials", `pid ${peer.pid ?? "?"}, user ${user(peer.uid)}, group ${group(peer.gid)}, at listen()`]);
  if (stats !== null) rows.push(["access", `mode ${octal(stats.mode)}, user ${user(stats.uid)}, group ${group(stats.gid)}`]);
  const parent = directories.at(-1);
  if (parent !== undefined)
    rows.push([
      "directory",
      `${parent.path}: mode ${octal(parent.stats.mode)}, user ${user(parent.stats.uid)}, group ${group(parent.stats.gid)}`,
    ]);
  if (parent === undefined) rows.push(["directory", `${dirname(path)} does not exist`]);
  if (connections !== null) rows.push(["connections", `${connections}`]);
  if (waiting !== null) rows.push(["queue", `${waiting} waiting${longestQueue === null ? "" : `; the system allows ${longestQueue}`}`]);
  const lines = [`${path}: ${state}`, ...rows.map(([label, text]) => `  ${label.padEnd(12)} ${text}`)];
  for (const { level, text, mend } of findings) lines.push("", `${level}: ${text}`, `  mend: ${mend}`);
  if (findings.every(({ level }) => level === "note")) lines.push("", "No problem was found.");
  return `${lines.join("\n")}\n`;
}
