/** The docstrings of the public API, as the declarations (`dist/**\/*.d.ts`) have them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/repository.js";

/** A docstring, and what it stands on. */
export interface Docstring {
  /** The file, from `dist/`. */
  readonly file: string;
  readonly text: string;
  /** The first line of the declaration. */
  readonly declaration: string;
}

const dist = join(root, "dist");

/** Every docstring. */
export function docstrings(): Docstring[] {
  return readdirSync(dist, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".d.ts"))
    .flatMap((file) =>
      [...readFileSync(join(dist, file), "utf8").matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\n\s*([^\n]*)/g)].map(
        ([, text = "", declaration = ""]) => ({ file, text: text.replaceAll(/^ *\* ?/gm, ""), declaration }),
      ),
    );
}

/** What the examples talk of: all that the library exports, some of Node, and what a program would have. */
const PRELUDE = `
import { spawn } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { closeSync, createReadStream, createWriteStream, openSync, readFileSync } from "node:fs";
import http from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { describe, it } from "node:test";
import { createGunzip, createGzip } from "node:zlib";
import type { Hash } from "node:crypto";
import * as api from "asyncio-streams";
import type { ClientConnectedCallback, DiagnosticsMessages, Protocol, Server, Transport } from "asyncio-streams";
import type { FrameCodec } from "asyncio-streams/framing";
import type { Hostile } from "asyncio-streams/testing";
declare const receiver: import("asyncio-streams/unix").FdStreamReader;
declare const sender: import("asyncio-streams/unix").FdStreamWriter;
declare const file: number;
declare const reader: api.StreamReader;
declare const writer: api.StreamWriter;
declare const server: Server;
declare const signal: AbortSignal;
declare const serveClient: ClientConnectedCallback;
declare const onResponse: (response: http.IncomingMessage) => void;
declare const hash: Hash;
declare const chunks: Iterable<Uint8Array>;
declare const report: Uint8Array;
declare const codec: FrameCodec<Buffer>;
declare let header: Buffer;
declare let frame: Buffer | null;
`;

/** The examples of the docstrings as modules, by names for their files. */
export function docstringModules(entries: Readonly<Record<string, readonly string[]>>): Map<string, string> {
  const imports = `
${Object.entries(entries)
  .map(([entry, names]) => `import { ${names.join(", ")} } from "${entry}";`)
  .join("\n")}
class MyProtocol extends BaseProtocol {}
`;
  const modules = new Map<string, string>();
  for (const { file, text } of docstrings()) {
    for (const [, code = ""] of text.matchAll(/```ts\n(.*?)```/gs)) {
      const body = code.replaceAll(/^import .*\n/gm, "");
      const name = `docstring-${modules.size}-${file.replaceAll(/\W+/g, "-")}`;
      modules.set(name, `${PRELUDE}${imports}export async function example(): Promise<unknown> {\n${body}return;\n}\n`);
    }
  }
  return modules;
}
