/**
 * The same soak in a process of its own beside this one, with `ASYNCIO_STREAMS_PLAIN_SOCKETS`: there every connection has the wire that
 * the documented parts of Node make. It collects garbage all the time, too. Node only.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { runtime } from "../test/support/runtime.js";
import type { Options } from "./options.js";

const PROGRAM = fileURLToPath(new URL("./main.js", import.meta.url));
const { env } = process;

/** Small objects are moved often, and the run collects at random: memory that is used after it was freed shows. */
const CRUEL_COLLECTOR = ["--expose-gc", "--max-semi-space-size=1"] as const;

/** Its share of the clients. */
const SHARE = 4;

export interface SecondRun {
  readonly passed: boolean;
  /** All that it has printed. */
  readonly output: string;
}

/** Starts it, where it makes a difference. It is over when this run is, or a little later. */
export async function runWithPlainSockets({ minutes, seed, clients, without, alone }: Options): Promise<SecondRun | null> {
  if (alone || runtime !== "node" || env["ASYNCIO_STREAMS_PLAIN_SOCKETS"] === "1") return null;
  const args = [String(minutes), "--seed", String(seed), "--clients", String(Math.ceil(clients / SHARE))];
  if (without.size > 0) args.push("--without", [...without].join(","));
  const child = spawn(process.execPath, [...process.execArgv, ...CRUEL_COLLECTOR, PROGRAM, ...args], {
    env: { ...env, ASYNCIO_STREAMS_PLAIN_SOCKETS: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  await once(child, "close");
  return { passed: child.exitCode === 0, output };
}
