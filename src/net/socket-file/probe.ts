/** `probe()`: finds out whether a server listens on a socket file, by connecting to it. */
import net from "node:net";
import { codeOf, isSystemCode, systemError } from "../system-error.js";
import { type FileName, withConnectPath } from "./directory.js";

/**
 * Connects and closes at once. Returns the error if connecting failed, `null` if a server listens.
 *
 * Bun: a socket reports every failure as ECONNREFUSED, even if a live server's queue is full (EAGAIN) or the socket is a datagram
 * socket (EPROTOTYPE). Its `fetch()` reports the real error, or none if it connected or timed out on a loaded machine; then connecting
 * is tried again.
 *
 * @throws the system's error if the file is gone, or cannot be reached
 */
export function probe(file: FileName): Promise<Error | null> {
  return withConnectPath(file, probePath);
}

async function probePath(path: string): Promise<Error | null> {
  for (let attempt = 1; ; attempt += 1) {
    const failure = await connectOnce(path);
    if (process.versions["bun"] === undefined || codeOf(failure) !== "ECONNREFUSED") return failure;
    /* c8 ignore next 3 -- Bun */
    const reason = await refusalInBun(path);
    if (reason !== null || attempt === BUN_PROBES) return reason;
  }
  /* c8 ignore next -- V8 counts the end of a function that a loop never reaches */
}

/* c8 ignore start -- Bun */
/** How long to wait for `fetch()` to be refused. */
const BUN_FETCH_MS = 100;
/** The number of attempts: two seconds in all. */
const BUN_PROBES = 20;

async function refusalInBun(path: string): Promise<Error | null> {
  try {
    await fetch("http://localhost/", { unix: path, signal: AbortSignal.timeout(BUN_FETCH_MS) } as RequestInit);
    return null;
  } catch (error) {
    const code = codeOf(error);
    return code !== undefined && isSystemCode(code) ? systemError(code, "connect", "cannot connect", path, error) : null;
  }
}
/* c8 ignore stop */

function connectOnce(path: string): Promise<Error | null> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(null);
    });
    socket.on("error", resolve);
  });
}
