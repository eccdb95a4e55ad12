/**
 * Run with the path of a socket, or nothing for TCP, and options as JSON: serves there, a line at a time, and does what it is told:
 *
 * `fill` opens files until there is no descriptor left, `free` closes them; `connect` and `listen` try with what is left; `idle` tells how much CPU time the process has used
 * in half a second; `stats` tells those of the server.
 */
import { closeSync, openSync } from "node:fs";
import { openUnixConnection, startServer, startUnixServer } from "asyncio-streams";
import { codeOf } from "#src/net/system-error.js";
import { echo } from "../support/echo.js";
import { commands, tell } from "../support/parent.js";

const IDLE_MS = 500;

const [, , path = "", json = "{}"] = process.argv;
const options = JSON.parse(json) as object;
const errors: unknown[] = [];

const all = { ...options, onClientError: (error: unknown) => errors.push(String(error)) };
const server = path === "" ? await startServer(echo, "127.0.0.1", 0, all) : await startUnixServer(echo, path, all);

const files: number[] = [];

function fill(): unknown {
  try {
    for (;;) files.push(openSync("/dev/null", "r"));
  } catch (error) {
    return codeOf(error);
  }
}

/** The code of what a call throws. */
async function failing(call: () => Promise<unknown>): Promise<unknown> {
  return call().then(() => null, codeOf);
}

/** Milliseconds of CPU time while there is nothing to do. */
async function idle(): Promise<number> {
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

tell(server.sockets[0]!.getsockname());
for await (const [command] of commands()) {
  if (command === "fill") tell(fill());
  if (command === "free") {
    for (const file of files.splice(0)) closeSync(file);
    tell("free");
  }
  if (command === "connect") tell(await failing(() => openUnixConnection(path)));
  if (command === "listen") tell(await failing(() => startUnixServer(() => {}, `${path}.2`)));
  if (command === "idle") tell(await idle());
  if (command === "stats") tell({ ...server.getStats(), errors });
}
await server.shutdown();
