/** `connectToSocketFile()`: connects to the path of a Unix socket, whatever bytes it has. */
import type net from "node:net";
import type { BoundSocket } from "../adopt.js";
import { connectUnix } from "../open-socket.js";
import { codeOf, isSystemCode, systemError } from "../system-error.js";
import { withConnectPath } from "./directory.js";
import type { UnixPath } from "./unix-path.js";

/**
 * Connects. If aborted, closes the socket and rejects with the signal's reason.
 *
 * @param bound the bound socket to connect from, if there is one
 */
export async function connectToSocketFile(path: UnixPath, signal: AbortSignal | undefined, bound?: BoundSocket): Promise<net.Socket> {
  if (typeof path.file === "string") return await connectUnix(path, signal, bound);
  try {
    return await withConnectPath(path.file, (name) => connectUnix({ name, file: name, abstract: false }, signal, bound));
  } catch (error) {
    // The system's error is about the descriptor through which the path was reached.
    const code = codeOf(error);
    throw code === undefined || !isSystemCode(code) ? error : systemError(code, "connect", "cannot connect", path.name, error);
  }
}
