/** What the figures were measured on: processors, system, and the version of everything that takes part. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import { basename } from "node:path";
import { ask, sourceFile, type Tools } from "../run/tools.js";

export interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly processors: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly loadGenerator: string;
  readonly versions: Readonly<Record<string, string>>;
}

export function describeMachine(tools: Tools, runtime: string): Machine {
  const versions: Record<string, string | null> = {
    "asyncio-streams": packageVersion("package.json"),
    [basename(runtime)]: firstLine(runtime, "--version")?.replace(/^deno |^v/, "") ?? null,
    "promise-socket": packageVersion("node_modules/promise-socket/package.json"),
    asyncio: tools.python && ask(tools.python, "import platform; print('CPython', platform.python_version())"),
    uvloop:
      tools.uvloopPython &&
      ask(tools.uvloopPython, "import platform, uvloop; print(uvloop.__version__, 'on CPython', platform.python_version())"),
    gcc: firstLine("gcc", "-dumpfullversion"),
  };
  return {
    date: new Date().toISOString(),
    processor: os.cpus()[0]?.model ?? "unknown",
    processors: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    loadGenerator: tools.load === null ? "TypeScript (there is no gcc)" : "C; TypeScript for TLS",
    versions: Object.fromEntries(Object.entries(versions).filter((entry): entry is [string, string] => entry[1] !== null)),
  };
}

export function machineText({ processors, processor, system, versions, loadGenerator }: Machine): string {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${processors} x ${processor}, ${system}\n${programs.join(", ")}\nload generator: ${loadGenerator}`;
}

function packageVersion(file: string): string {
  return (JSON.parse(readFileSync(sourceFile(`../${file}`), "utf8")) as { version: string }).version;
}

function firstLine(program: string, argument: string): string | null {
  try {
    return execFileSync(program, [argument], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n", 1)[0] ?? null;
  } catch {
    return null;
  }
}
