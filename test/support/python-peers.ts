/** CPython's asyncio at the other end: the scripts `peer.py`, as a server and as a client. `ends.py` has what they share. */
import { rmSync } from "node:fs";
import {
  type OpenConnectionOptions,
  openConnection,
  openUnixConnection,
  type SocketAddress,
  type StreamReader,
  type StreamWriter,
} from "asyncio-streams";
import { Child } from "./child.js";
import { socketPath } from "./temporary.js";

/** A server in CPython. */
export interface PythonServer extends AsyncDisposable {
  readonly child: Child;
  readonly connect: (options?: OpenConnectionOptions) => Promise<[StreamReader, StreamWriter]>;
}

/** Starts one. Disposing of it ends it, and removes its socket's file, which a killed one leaves. */
export async function startPythonServer(command: readonly string[], kind: string): Promise<PythonServer> {
  const path = kind === "Unix" ? socketPath() : null;
  const child = new Child([...command, "serve", ...(path === null ? ["tcp"] : ["unix", path])]);
  const [, port] = (await child.nextLine()).split(" ");
  return {
    child,
    connect: (options) => (path === null ? openConnection("127.0.0.1", Number(port), options) : openUnixConnection(path, options)),
    async [Symbol.asyncDispose]() {
      await child.end();
      if (path !== null) rmSync(path, { force: true });
    },
  };
}

/** Starts a client in CPython. */
export function startPythonClient(command: readonly string[], address: SocketAddress, conversation: string): Child {
  const where = typeof address === "string" ? ["unix", address] : ["tcp", String(address[1])];
  return new Child([...command, "connect", ...where, conversation]);
}
