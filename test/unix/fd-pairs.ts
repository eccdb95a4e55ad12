/** Connections that carry descriptors, with both ends in this process or one end in another. */
import { chmodSync, closeSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { Server } from "asyncio-streams";
import {
  type FdClientConnectedCallback,
  type FdStreamReader,
  type FdStreamWriter,
  openFdConnection,
  type StartFdServerOptions,
  startFdServer,
} from "asyncio-streams/unix";
import { Child } from "../support/child.js";
import { socketPath } from "../support/temporary.js";
import { targetOf } from "./numbered-messages.js";

export type FdPair = readonly [reader: FdStreamReader, writer: FdStreamWriter];

/** A server, and its clients in order. */
export class FdServing implements AsyncDisposable {
  readonly path: string = socketPath();
  /** The clients' ends, which are closed with the server. */
  readonly opened: FdPair[] = [];
  readonly #clients: FdPair[] = [];
  #wake = (): void => {};
  server!: Server;

  static async start(options?: StartFdServerOptions): Promise<FdServing> {
    const serving = new FdServing();
    serving.server = await startFdServer(
      (reader, writer) => {
        serving.#clients.push([reader, writer]);
        serving.#wake();
      },
      serving.path,
      options,
    );
    return serving;
  }

  /** The server's end of the next connection. */
  async next(): Promise<FdPair> {
    while (this.#clients.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#clients.shift() as FdPair;
  }

  /** Both ends of a new connection. */
  async connect(): Promise<readonly [client: FdPair, peer: FdPair]> {
    const client = await openFdConnection(this.path);
    this.opened.push(client);
    return [client, await this.next()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [, writer] of this.opened) writer.transport.abort();
    this.server.abortClients();
    await this.server.shutdown({ graceMs: 0 });
  }
}

/** Serves one client, which a command starts under any user, and calls back with the server's end and the process. */
export async function withFdClient(
  makeCommand: (path: string) => string[],
  use: (pair: FdPair, child: Child) => Promise<void>,
  options: StartFdServerOptions = {},
): Promise<void> {
  await using serving = await FdServing.start({ mode: 0o666, ...options });
  chmodSync(dirname(serving.path), 0o755);
  await using child = new Child(makeCommand(serving.path));
  const pair = await serving.next();
  await use(pair, child);
  pair[1].transport.abort();
  await child.end();
}

/** Calls an async function with the descriptor of a file. */
export async function withHostsFile<T>(call: (fd: number) => Promise<T>): Promise<T> {
  const fd = openSync("/etc/hosts", "r");
  try {
    return await call(fd);
  } finally {
    closeSync(fd);
  }
}

/** Reports the descriptors of each message, and echoes its bytes. */
export const echoFds: FdClientConnectedCallback = async (reader, writer) => {
  for (;;) {
    const [data, descriptors] = await reader.receiveFds(65_536);
    if (data.length === 0) break;
    writer.write(`${data} ${descriptors.map(({ fd }) => targetOf(fd)).join()}\n`);
    for (const descriptor of descriptors) descriptor.close();
  }
  writer.close();
};
