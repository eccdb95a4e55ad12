/** Runs a Worker in workerd, which `scripts/install-interop-clients.mjs` installs. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { certificate } from "../support/certificates.js";
import type { Need } from "../support/needs.js";
import { root } from "../support/repository.js";
import { temporaryDirectory } from "../support/temporary.js";

const binary = join(root, "build", "workerd", "node_modules", "@cloudflare", "workerd-linux-64", "bin", "workerd");

export const needsWorkerd: Need = { skip: !existsSync(binary) && "workerd is not installed: node scripts/install-interop-clients.mjs" };

/** What the Workers of the tests run with. The network is this machine's, and its authority is the one of the test certificates. */
const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker", esModule = embed "bundle.js")],
      compatibilityDate = "DATE",
      compatibilityFlags = FLAGS,
    )),
    (name = "internet", network = (allow = ["private"], tlsOptions = (trustedCertificates = [embed "ca.pem"]))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`;

/** A compatibility date, and the flags that it needs. */
export const DATES = {
  "2026-11-01": "[]",
  "2026-01-01": '["nodejs_compat"]',
} as const;

/** The answer of a Worker, and everything that workerd has logged. */
export interface WorkerRun {
  readonly status: number;
  readonly body: string;
  readonly log: string;
}

/** Bundles a module for Workers, as Wrangler does: with the packages inside, and the modules of the platform outside. */
async function bundle(code: string, outfile: string): Promise<void> {
  await build({
    stdin: { contents: code, resolveDir: root },
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "koffi"],
    logLevel: "warning",
  });
}

/** Bundles a Worker, starts it, and sends it one request. */
export async function runWorker(code: string, date: keyof typeof DATES): Promise<WorkerRun> {
  const directory = temporaryDirectory();
  await bundle(code, join(directory, "bundle.js"));
  writeFileSync(join(directory, "config.capnp"), CONFIG.replace("DATE", date).replace("FLAGS", DATES[date]));
  writeFileSync(join(directory, "ca.pem"), certificate("ca"));
  // workerd reports its port on descriptor 3. `--verbose`: it logs exceptions that no code has caught.
  const child = spawn(binary, ["serve", "--verbose", "config.capnp", "--control-fd=3"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const log: string[] = [];
  for (const output of [child.stdout, child.stderr]) output?.setEncoding("utf8").on("data", (text: string) => log.push(text));
  const ended = new Promise((resolve) => child.once("close", resolve));
  let answer: { readonly status: number; readonly body: string };
  try {
    const port = await listeningPort(child, log);
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
    answer = { status: response.status, body: await response.text() };
  } finally {
    child.kill();
    await ended; // then the log is complete
  }
  return { ...answer, log: log.join("") };
}

function listeningPort(child: ChildProcess, log: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("close", () => reject(new Error(`workerd has ended: ${log.join("")}`)));
    child.stdio[3]?.on("data", (data: Buffer) => {
      const { port } = JSON.parse(data.toString().split("\n", 1)[0] as string) as { readonly port: number };
      resolve(port);
    });
  });
}
