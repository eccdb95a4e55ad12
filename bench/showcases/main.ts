/**
 * Measures a showcase beside what programs use today: `npm run showcases -- mcp|docker|postgres [--rounds=5] [--publish] [--quick]`. `--publish`
 * writes the tables into docs/showcases/, between their two marks, and the picture beside the page. `--quick` shows whether the measurement
 * works; its figures mean nothing.
 *
 * `postgres` needs a server: `pg_virtualenv npm run showcases -- postgres`, or PGHOST and so on. `docker` needs an engine: DOCKER_HOST, and
 * CONTAINER for a running container that has `sh` and `dd`.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import os, { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Postgres } from "../../examples/postgres.js";
import { drawBars } from "../report/bars.js";
import { figure } from "../report/table.js";
import { type Contestant, type Figures, runRounds } from "./rounds.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const [name = "", ...flags] = process.argv.slice(2);
const isQuick = flags.includes("--quick");
const rounds = Number(flags.find((flag) => flag.startsWith("--rounds="))?.slice(9) ?? (isQuick ? 1 : 5));

const MEGABYTE = 1_000_000;

/** The names of the PostgreSQL clients, in pixels. */
const LABEL_WIDTH = 250;

/** A Markdown table. */
function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const bar = heading.map((_, column) => (column === 0 ? "---" : "---:"));
  return [heading, bar, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const megabytes = (bytes: number): string => figure(bytes / MEGABYTE);
const seconds = (milliseconds: number): string => figure(milliseconds / 1_000);

function versionOf(file: string): string {
  return (JSON.parse(readFileSync(join(root, file, "package.json"), "utf8")) as { version: string }).version;
}

/** What the figures were measured on. */
function conditions(programs: Readonly<Record<string, string>>): string {
  const all = { "Node.js": process.versions.node, ...programs };
  const list = Object.entries(all).map(([program, version]) => `${program} ${version}`);
  const machine = `${os.cpus().length} cores (${os.cpus()[0]?.model.trim()}), ${os.type()} ${os.release()}`;
  const load = `The machine also did other work: its load average was ${os.loadavg()[0]?.toFixed(1)} at the end.`;
  return `Medians of ${rounds} rounds, in which the contestants took turns.\n${list.join(", ")}.\n${machine}. ${load}`;
}

/** Sends a message to each client that has sent a byte. */
async function serveMessage<T>(bytes: number, use: (path: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "mcp-"));
  const message = `${JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text: "x".repeat(bytes) }] } })}\n`;
  const server = createServer((socket) => {
    socket.on("error", () => {}).once("data", () => socket.end(message));
  });
  await once(server.listen(join(directory, "s")), "listening");
  try {
    return await use(join(directory, "s"));
  } finally {
    server.close();
    rmSync(directory, { recursive: true });
  }
}

/** What is measured beside this library, apart from the project's own packages. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  docker: ["dockerode@5.0.1"],
  postgres: ["pg@8.23.1", "pg-query-stream@4.17.0", "postgres@3.4.9"],
};

/** @returns the versions of the packages, by name */
async function installPackages(showcase: string): Promise<Record<string, string>> {
  const packages = PACKAGES[showcase] ?? [];
  const { install } = (await import(join(root, "scripts", "install.mjs"))) as {
    install: (folder: string, ...packages: readonly string[]) => string;
  };
  install(join("showcases", showcase), ...packages);
  return Object.fromEntries(packages.map((each) => each.split("@") as [string, string]));
}

async function mcp(): Promise<string> {
  const receivers = [
    ["this library: `ndjson()`", "ourNdjson"],
    ["MCP SDK: `ReadBuffer`", "readBuffer"],
    ["ACP SDK: `ndJsonStream()` on this library", "acpOnOurs"],
    ["ACP SDK: `ndJsonStream()` on `node:net`", "acpOnNode"],
  ] as const;
  const sizes = isQuick ? [1] : [1, 3, 9];
  const bySize: Figures[][] = [];
  for (const size of sizes) {
    bySize.push(
      await serveMessage(size * MEGABYTE, async (path) => {
        const contestants = receivers.map(
          ([name, form]): Contestant => ({ name, isOurs: form.includes("our"), program: "mcp-receiver", args: [path, form] }),
        );
        return await runRounds(contestants, rounds);
      }),
    );
  }
  const received = receivers.map(([name], index) => [
    name,
    ...bySize.map((figures) => seconds(figures[index]?.cpuMilliseconds ?? Number.NaN)),
    megabytes(bySize.at(-1)?.[index]?.peakBytes ?? Number.NaN),
  ]);
  const calls = sizes;
  const callers = [
    ["this library: `StreamTransport`", "ours"],
    ["MCP SDK: `StdioClientTransport`", "sdk"],
  ] as const;
  const called: Figures[][] = [];
  for (const size of calls) {
    const contestants = callers.map(
      ([name, form]): Contestant => ({ name, isOurs: form === "ours", program: "mcp-call", args: [form, `${size * MEGABYTE}`] }),
    );
    called.push(await runRounds(contestants, rounds));
  }
  const callRows = callers.map(([name], index) => [
    name,
    ...called.map((figures) => seconds(figures[index]?.cpuMilliseconds ?? Number.NaN)),
  ]);
  const versions = { "MCP SDK": "node_modules/@modelcontextprotocol/client", "ACP SDK": "node_modules/@agentclientprotocol/sdk" };
  return [
    "CPU seconds of the receiver for one message of this size, over a Unix socket:",
    table(["", ...sizes.map((size) => `${size} MB`), `peak memory at ${sizes.at(-1)} MB, in MB`], received),
    "CPU seconds of the client for a call of a tool with a result of this size, whose server is a child process:",
    table(["", ...calls.map((size) => `${size} MB`)], callRows),
    conditions(Object.fromEntries(Object.entries(versions).map(([name, file]) => [name, versionOf(file)]))),
  ].join("\n\n");
}

async function postgres(): Promise<string> {
  const packages = await installPackages("postgres");
  const ROWS = isQuick ? 20_000 : 500_000;
  const forms = [
    ["this library: queryBatches()", "oursBatches"],
    ["this library: query()", "ours"],
    ["pg with pg-query-stream", "pgStream"],
    ["postgres with cursor(1000)", "postgresCursor"],
    ["pg, all rows at once", "pgAll"],
    ["postgres, all rows at once", "postgresAll"],
  ] as const;
  const contestants = forms.map(
    ([name, form]): Contestant => ({ name, isOurs: form.startsWith("ours"), program: "postgres-reader", args: [form, `${ROWS}`] }),
  );
  const figures = await runRounds(contestants, rounds);
  const rows = figures.map((each) => [
    each.name,
    megabytes(each.peakBytes),
    seconds(each.cpuMilliseconds),
    seconds(each.milliseconds),
    figure(ROWS / each.milliseconds),
  ]);
  if (flags.includes("--publish")) {
    const bars = (title: string, unit: string, valueOf: (each: Figures) => number) => ({
      title,
      unit,
      bars: figures.map((each) => ({ name: each.name, isOurs: each.isOurs, value: valueOf(each) })),
    });
    const picture = drawBars(
      `${ROWS.toLocaleString("en-US")} rows from PostgreSQL: shorter is better`,
      [
        bars("Peak memory", "MB", ({ peakBytes }) => peakBytes / MEGABYTE),
        bars("CPU time", "seconds", ({ cpuMilliseconds }) => cpuMilliseconds / 1_000),
      ],
      LABEL_WIDTH,
    );
    writeFileSync(join(root, "docs", "showcases", "postgres.svg"), picture);
  }
  const { PGHOST = "", PGPORT = "5432", PGUSER = "", PGPASSWORD = "", PGDATABASE = "postgres" } = process.env;
  const client = await Postgres.connect({ host: PGHOST, port: Number(PGPORT), user: PGUSER, password: PGPASSWORD, database: PGDATABASE });
  const version = String(await client.execute("SHOW server_version")).replace(/ .*/, "");
  await client.close();
  return [
    table(["", "peak memory, MB", "CPU, s", "time, s", "rows in a millisecond"], rows),
    conditions({ PostgreSQL: version, ...packages }),
  ].join("\n\n");
}

async function docker(): Promise<string> {
  const packages = await installPackages("docker");
  const SIZE = isQuick ? 10 : 200;
  const { installRuntimes } = (await import(join(root, "scripts", "runtimes.mjs"))) as {
    installRuntimes: (names: readonly string[]) => { name: string; binary: string }[];
  };
  const binaries = Object.fromEntries(installRuntimes(["bun", "deno"]).map(({ name, binary }) => [name, binary]));
  const runtimes = [
    ["Node", [process.execPath]],
    ["Bun", [binaries["bun"] ?? ""]],
    ["Deno", [binaries["deno"] ?? "", "run", "--allow-all", "--quiet"]],
  ] as const;
  const contestants = runtimes.flatMap(([runtimeName, runtime]) =>
    (["ours", "dockerode"] as const).map((form): Contestant => {
      const [command = "", ...options] = runtime;
      const name = `${form === "ours" ? "this library: examples/docker-engine.ts" : "dockerode"}, ${runtimeName}`;
      return { name, isOurs: form === "ours", program: "docker-reader", args: [form, `${SIZE}`], runtime: [command, ...options] };
    }),
  );
  const figures = await runRounds(contestants, rounds);
  const rows = figures.map((each) => [each.name, megabytes(each.peakBytes), seconds(each.cpuMilliseconds), seconds(each.milliseconds)]);
  const versions = Object.entries(binaries).map(([name, binary]) => {
    return [
      name,
      execFileSync(binary, ["--version"], { encoding: "utf8" })
        .replace(/^deno (\S+)[^]*/, "$1")
        .trim(),
    ];
  });
  return [table(["", "peak memory, MB", "CPU, s", "time, s"], rows), conditions({ ...Object.fromEntries(versions), ...packages })].join(
    "\n\n",
  );
}

const showcases: Readonly<Record<string, () => Promise<string>>> = { mcp, docker, postgres };
const showcase = showcases[name];
if (showcase === undefined) throw new Error(`usage: npm run showcases -- ${Object.keys(showcases).join("|")} [--rounds=5] [--publish]`);
const text = await showcase();
console.log(text);
if (flags.includes("--publish")) {
  const page = join(root, "docs", "showcases", `${name}.md`);
  const parts = readFileSync(page, "utf8").split(/(<!-- (?:begin|end): written by npm run showcases -->)/);
  if (parts.length !== 5) throw new Error(`${page} does not have the two marks`);
  parts[2] = `\n\n${text}\n\n`;
  writeFileSync(page, parts.join(""));
}
