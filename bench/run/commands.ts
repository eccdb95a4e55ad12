/** The command lines of servers, load generators and clients. */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Contestant } from "../contestants.js";
import type { Work } from "../works.js";
import type { Certificate } from "./certificate.js";
import type { Command } from "./child.js";
import { sourceFile, type Tools } from "./tools.js";

export interface Surroundings {
  readonly tools: Tools;
  /** The binary that runs our servers and those on node:net. */
  readonly runtime: string;
  readonly certificate: Certificate;
}

/** A compiled file of bench/, run by a node, Bun or Deno. */
export function javascript(runtime: string, file: string, args: readonly string[]): Command {
  const path = fileURLToPath(new URL(`../${file}.js`, import.meta.url));
  const kind = basename(runtime);
  const flags =
    kind === "bun" ? [] : kind === "deno" ? ["run", "--allow-all", "--no-check", "--quiet", "--v8-flags=--expose-gc"] : ["--expose-gc"];
  return { program: runtime, arguments: [...flags, path, ...args] };
}

export function serverCommand(contestant: Contestant, work: Work, path: string, { tools, runtime, certificate }: Surroundings): Command {
  const form = contestant.form.split(" ");
  if (contestant.language === "c") {
    const program = contestant.server === "splice-relay" ? tools.spliceRelay : tools.epollServer;
    return { program: program as string, arguments: [path, ...form] };
  }
  if (contestant.language === "python") {
    return { program: pythonOf(contestant, tools), arguments: [sourceFile(`servers/${contestant.server}.py`), path, ...form] };
  }
  const tls = work.tls ? [certificate.keyFile, certificate.certificateFile] : [];
  return javascript(runtime, `servers/${contestant.server}`, [path, ...form, ...tls]);
}

/** The load always runs here, whatever the servers run on, so that it is the same for all. */
export function loadCommand(work: Work, path: string, { tools, certificate }: Surroundings): Command {
  const kind = work.kind === "swallow" || work.kind === "churn" ? work.kind : "echo";
  const args = [path, kind, work.connections, work.lines, work.lineBytes].map(String);
  args.push(work.format ?? "lf");
  if (tools.load !== null && !work.tls) return { program: tools.load, arguments: args };
  if (work.tls) args.push(certificate.authorityFile);
  if (work.handshake !== undefined) args.push(work.handshake.begin, work.handshake.resumed ? "resumed" : "new");
  return javascript(process.execPath, "load/load", args);
}

/** The client of a contestant, for works that have the same library at both ends. */
export function clientCommand(contestant: Contestant, work: Work, path: string, { runtime }: Surroundings): Command {
  return javascript(runtime, `clients/${contestant.server}`, [path, contestant.form, work.lineBytes].map(String));
}

/** The program that connects, for works that measure the client. */
export function connectCommand(contestant: Contestant, work: Work, where: string, { tools, runtime }: Surroundings): Command {
  const args = [work.lineBytes, work.connections, work.connect?.count ?? 0].map(String);
  const form = contestant.form.split(" ");
  if (contestant.language !== "python") return javascript(runtime, `clients/${contestant.server}`, [where, ...form, ...args]);
  return { program: pythonOf(contestant, tools), arguments: [sourceFile(`clients/${contestant.server}.py`), where, ...form, ...args] };
}

/** The program that imports a library and ends. */
export function startCommand(contestant: Contestant, modules: string, { tools, runtime }: Surroundings): Command {
  const form = contestant.form.split(" ");
  if (contestant.language !== "python") return javascript(runtime, `clients/${contestant.server}`, [...form, modules]);
  return { program: pythonOf(contestant, tools), arguments: [sourceFile(`clients/${contestant.server}.py`), ...form] };
}

/** What a relay connects to: an echo in C, or in JavaScript without a compiler. */
export function echoCommand(path: string, { tools, runtime }: Surroundings): Command {
  if (tools.epollServer !== null) return { program: tools.epollServer, arguments: [path, "echo"] };
  return javascript(runtime, "servers/node-net", [path, "chunks"]);
}

function pythonOf(contestant: Contestant, tools: Tools): string {
  return (contestant.needs.includes("uvloop") ? tools.uvloopPython : tools.python) as string;
}
