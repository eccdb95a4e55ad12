/**
 * Run with the name of a call and its options as JSON: makes the call with the socket that it finds at file descriptor 3, uses what comes of it, and
 * tells the outcome and whether the descriptor was closed.
 */
import { fstatSync } from "node:fs";
import {
  connectAcceptedSocket,
  openConnection,
  openUnixConnection,
  type Server,
  StreamReader,
  StreamReaderProtocol,
  type StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { outcome } from "../support/outcome.js";
import { tell } from "../support/parent.js";

const FD = 3;
const [, , call = "", json = "{}"] = process.argv;
const { path = null, host = null, aborted = false, ...given } = JSON.parse(json) as Record<string, never>;
const options = { ...given, sock: FD, ...(aborted ? { signal: AbortSignal.abort() } : {}) };

async function converse([reader, writer]: [StreamReader, StreamWriter]): Promise<void> {
  writer.write("hello from the child\n");
  tell({ line: (await reader.readline()).toString() });
  writer.close();
  await writer.waitClosed();
}

async function serveOne(start: (callback: (reader: StreamReader, writer: StreamWriter) => void) => Promise<Server>): Promise<void> {
  let done!: () => void;
  const served = new Promise<void>((resolve) => {
    done = resolve;
  });
  const server = await start((_reader, writer) => {
    writer.write("hello from the child\n");
    writer.close();
    void writer.waitClosed().finally(done);
  });
  tell({ line: "serving" });
  await served;
  await server.shutdown();
}

/** Makes the call twice, and uses what the first has given. */
async function openTwice(open: () => Promise<[StreamReader, StreamWriter]>): Promise<void> {
  const streams = await open();
  tell({ refused: await outcome(open) });
  await converse(streams);
}

/** Serves the connection as one that was accepted elsewhere. */
async function serveAccepted(): Promise<void> {
  const reader = new StreamReader();
  const served: Promise<void>[] = [];
  const protocol = new StreamReaderProtocol(reader, (_reader, writer) => {
    served.push(converse([reader, writer]));
  });
  await connectAcceptedSocket(() => protocol, FD, given);
  await Promise.all(served);
}

const calls: Record<string, () => Promise<void>> = {
  connectAcceptedSocket: serveAccepted,
  openUnixConnection: async () => converse(await openUnixConnection(path, options)),
  openConnection: async () => converse(await openConnection(host, null, options)),
  openUnixConnectionTwice: () => openTwice(() => openUnixConnection(path, options)),
  startUnixServer: () => serveOne((callback) => startUnixServer(callback, path, options)),
  startServer: () => serveOne((callback) => startServer(callback, host, null, options)),
};

const inode = fstatSync(FD).ino;
const error = await outcome(calls[call] as () => Promise<void>);
let closed = false;
try {
  // The number may have been given to another file by now.
  closed = fstatSync(FD).ino !== inode;
} catch {
  closed = true;
}
tell({ error, closed });
