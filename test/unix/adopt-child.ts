/**
 * Run with cases as JSON: hands the descriptor 3 to the first call, 4 to the second, and so on. Tells of each call its error, and what has become of the
 * descriptor: whether it is closed, and whether something else that gets its number is closed later.
 */
import { openSync, readlinkSync } from "node:fs";
import { createUnixConnection, createUnixServer, openConnection, openUnixConnection, startServer, startUnixServer } from "asyncio-streams";
import { outcome } from "../support/outcome.js";
import { tell } from "../support/parent.js";
import { turns } from "../support/turns.js";
import type { AdoptCase } from "./adopt-case.js";

const calls: Readonly<Record<AdoptCase["call"], (path: string | null, options: object) => Promise<unknown>>> = {
  openUnixConnection: (path, options) => openUnixConnection(path, options),
  openConnection: (_path, options) => openConnection(null, null, options),
  startUnixServer: (path, options) => startUnixServer(() => {}, path, options),
  startServer: (_path, options) => startServer(() => {}, null, null, options),
  badCallback: (path, options) => startUnixServer(5 as never, path, options),
  badConnectionFactory: (path, options) => createUnixConnection(5 as never, path, options),
  badServerFactory: (path, options) => createUnixServer(5 as never, path, options),
  throwingFactory: (path, options) =>
    createUnixConnection(
      () => {
        throw new RangeError("no protocol");
      },
      path,
      options,
    ),
  closedUnstarted: async (path, options) => {
    const server = await startUnixServer(() => {}, path, { ...options, startServing: false });
    server.close();
    await server.waitClosed();
    throw new RangeError("closed");
  },
};

/** What a descriptor leads to, as the system has it (Deno has numbers of its own); `null`: it is closed. */
function target(fd: number): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null;
  }
}

/** Opens files until one has the descriptor, and sees whether that is closed behind its back. */
async function isLeftAlone(fd: number): Promise<boolean> {
  for (let opened = 0; opened < 100 && target(fd) === null; opened += 1) openSync("/dev/null", "r");
  await turns(10);
  (globalThis as { gc?: () => void }).gc?.();
  await turns(10);
  return target(fd) === "/dev/null";
}

const cases = JSON.parse(process.argv[2] as string) as AdoptCase[];
for (const [index, { call, path, options, aborted }] of cases.entries()) {
  const fd = 3 + index;
  const before = target(fd);
  const signal = aborted === true ? AbortSignal.abort() : undefined;
  const error = await outcome(() => calls[call](path ?? null, { ...options, sock: fd, signal }));
  // A connection that was closed goes with the next turns.
  for (let turn = 0; turn < 10 && target(fd) !== null; turn += 1) await turns();
  const closed = target(fd) === null || target(fd) !== before;
  tell({ error, closed, leftAlone: closed && (await isLeftAlone(fd)) });
}
process.exit();
