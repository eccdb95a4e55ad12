/**
 * A lock between the starters on one path, so that of several who find the same stale file only one removes it.
 *
 * It is a socket in Linux's abstract namespace, whose name is made from the directory's device and inode and the socket's name: the kernel lets one process have
 * it, and takes it back when that process ends, however it ends. The name fills `sun_path`, so that all versions of Node mean the same (Node 20 pads
 * shorter ones).
 *
 * Elsewhere than on Linux, between Bun and other runtimes, in another network namespace, or if somebody sits on the name for longer than LOCK_PATIENCE_MS, there is no lock; what is done
 * under it is careful enough for all but the narrowest races.
 */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import net from "node:net";
import { basename, dirname } from "node:path";
import { delay } from "../base/scheduling.js";
import { closeServer, listenOn } from "./net-server.js";
import { codeOf } from "./system-error.js";

/** What is done under the lock takes a few milliseconds; nobody honest has it for this long. */
const LOCK_PATIENCE_MS = 3_000;
/** Between two tries. */
const LOCK_RETRY_MS = 5;
/** Characters after the leading NUL that fill Linux's `sun_path`. Bun: refuses the last of them (EINVAL). */
const NAME_LENGTH: number = process.versions["bun"] === undefined ? 107 : 106;

/** Runs `critical` while no other starter on this path runs its own. */
export async function withStartLock<T>(path: string, critical: () => Promise<T>): Promise<T> {
  if (process.platform !== "linux") return critical();
  const lock = await acquire(lockName(path));
  try {
    return await critical();
  } finally {
    if (lock !== null) closeServer(lock);
  }
}

function lockName(path: string): string {
  const { dev, ino } = statSync(dirname(path));
  const hash = createHash("sha256")
    .update(`${dev}:${ino}:${basename(path)}`)
    .digest("hex");
  return `\0asyncio-streams-start-${hash}`.padEnd(NAME_LENGTH + 1, "-");
}

async function acquire(name: string): Promise<net.Server | null> {
  for (let waited = 0; waited < LOCK_PATIENCE_MS; waited += LOCK_RETRY_MS) {
    const server = net.createServer((socket) => socket.destroy());
    try {
      await listenOn(server, { path: name, exclusive: true });
      return server;
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE") return null; // no abstract names here
      await delay(LOCK_RETRY_MS);
    }
  }
  return null;
}
