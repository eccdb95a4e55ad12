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
  if (contestant.language === "c") return { program: tools.epollServer as string, arguments: [path, ...form] };
  if (contestant.language === "python") {
    const python = contestant.needs.includes("uvloop") ? tools.uvloopPython : tools.python;
    return { program: python as string, arguments: [sourceFile(`servers/${contestant.server}.py`), path, ...form] };
  }
  const tls = work.tls ? [certificate.keyFile, certificate.certificateFile] : [];
  return javascript(runtime, `servers/${contestant.server}`, [path, ...form, ...tls]);
}

/** The load always runs here, whatever the servers run on, so that it is the same for all. */
export function loadCommand(work: Work, path: string, { tools, certificate }: Surroundings): Command {
  const kind = work.kind === "swallow" || work.kind === "churn" ? work.kind : "echo";
  const args = [path, kind, work.connections, work.lines, work.lineBytes].map(String);
  if (tools.load !== null && !work.tls) return { program: tools.load, arguments: args };
  if (work.tls) args.push(certificate.authorityFile);
  if (work.handshake !== undefined) args.push(work.handshake.begin, work.handshake.resumed ? "resumed" : "new");
  return javascript(process.execPath, "load/load", args);
}

/** The client of a contestant, for works that have the same library at both ends. */
export function clientCommand(contestant: Contestant, work: Work, path: string, { runtime }: Surroundings): Command {
  return javascript(runtime, `clients/${contestant.server}`, [path, contestant.form, work.lineBytes].map(String));
}
