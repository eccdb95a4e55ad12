/** A server in a process of its own, which first of all tells its address; and connections to it. */
import type { SocketAddress, StreamReader, StreamWriter } from "asyncio-streams";
import { abortAll } from "../support/abort-all.js";
import { openTo } from "../support/addresses.js";
import { Child } from "../support/child.js";

export type Connection = [StreamReader, StreamWriter];

export interface Serving extends AsyncDisposable {
  readonly child: Child;
  readonly connect: () => Promise<Connection>;
}

/**
 * Starts it. Disposing of it aborts the connections, and ends it.
 *
 * @param end how. Default: kills it
 */
export async function startServing(
  command: readonly string[],
  end: (child: Child) => Promise<unknown> = (child) => child[Symbol.asyncDispose](),
): Promise<Serving> {
  const child = new Child(command);
  const address = await child.next<SocketAddress>();
  const writers: StreamWriter[] = [];
  return {
    child,
    async connect() {
      const connection = await openTo(address);
      writers.push(connection[1]);
      return connection;
    },
    async [Symbol.asyncDispose]() {
      await abortAll(writers);
      await end(child);
    },
  };
}
