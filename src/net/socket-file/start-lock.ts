/**
 * A lock between processes that start a server on the same path. If several find the same stale file, only one removes it.
 *
 * The lock is a socket in Linux's abstract namespace. Its name is derived from the directory's device and inode and the socket's name.
 * The kernel lets only one process hold the name, and releases it when that process ends in any way. The name fills `sun_path`, so that
 * all versions of Node use the same name (Node 20 pads shorter ones).
 *
 * There is no lock on other systems than Linux, between Bun and other runtimes, across network namespaces, or if a process holds the
 * name for longer than LOCK_PATIENCE_MS. The critical section then still prevents all but the narrowest races.
 */
import net from "node:net";
import { delay } from "../../base/scheduling.js";
import { nodeCrypto } from "../../transports/lazy-modules.js";
import { closeServer, listenOn } from "../listener.js";
import { codeOf } from "../system-error.js";
import type { Directory, FileName } from "./directory.js";

/**
 * How long to wait for the lock. The critical section takes a few milliseconds, so a well-behaved process never holds the lock for this
 * long.
 */
const LOCK_PATIENCE_MS = 3_000;
/** The delay between two attempts. */
const LOCK_RETRY_MS = 5;
/** The number of characters after the leading NUL that fill Linux's `sun_path`. Bun: refuses the last one (EINVAL). */
const NAME_LENGTH: number = process.versions["bun"] === undefined ? 107 : 106;

/** Runs `critical` while no other process that starts on this name in the directory runs its own. */
export async function withStartLock<T>(directory: Directory, base: FileName, critical: () => Promise<T>): Promise<T> {
  if (process.platform !== "linux") return critical();
  const lock = await acquire(lockName(directory, base));
  try {
    return await critical();
  } finally {
    if (lock !== null) closeServer(lock);
  }
}

function lockName({ stats: { dev, ino } }: Directory, base: FileName): string {
  const hash = nodeCrypto().createHash("sha256").update(`${dev}:${ino}:`).update(base).digest("hex");
  return `\0asyncio-streams-start-${hash}`.padEnd(NAME_LENGTH + 1, "-");
}

async function acquire(name: string): Promise<net.Server | null> {
  for (let waited = 0; waited < LOCK_PATIENCE_MS; waited += LOCK_RETRY_MS) {
    const server = net.createServer((socket) => socket.destroy());
    try {
      await listenOn(server, { path: name, exclusive: true });
      return server;
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE") return null; // no abstract names on this system
      await delay(LOCK_RETRY_MS);
    }
  }
  return null;
}
