/**
 * A daemon that is restarted, to a new version of the program for example, without its clients noticing: SIGHUP starts a successor and
 * hands it the listening socket and every connection, with what was received and not read, and with the state of the conversation.
 *
 * Run it: node build/examples/restart.js /tmp/count.sock, then in another terminal: nc -U /tmp/count.sock
 * You will see: each line comes back with its number and the id of the process. After kill -HUP of that process, another process answers,
 * on the same connection, and goes on counting.
 *
 * If the successor dies before it has taken over, nothing has changed. If it dies later, the rest of the clients stay with this process.
 * Needs Linux and koffi, see docs/guide/descriptors.md.
 */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { openUnixConnection, type Server, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import {
  type Descriptor,
  detachConnection,
  duplicateListeners,
  type FdStreamWriter,
  loadUnix,
  openFdConnection,
  openSocketpair,
} from "asyncio-streams/unix";

/** How long a client may take to receive what was written to it. Those that are slower stay with the old process. */
const PATIENCE_MS = 5_000;

/** Where a successor finds its connection to the process that it replaces. */
const PREDECESSOR_FD = 3;

const [path = "/tmp/count.sock", role = "first"] = process.argv.slice(2);
await loadUnix();

/** Aborted when a successor has taken the listening socket: then every read of a client ends. */
let restart = new AbortController();
let successor: FdStreamWriter | null = null;
let server: Server;
const conversations = new Set<Promise<void>>();

/** Serves a client. The state of the conversation is the number of its lines. */
async function converse(reader: StreamReader, writer: StreamWriter, count: number): Promise<void> {
  for (;;) {
    if (successor !== null && restart.signal.aborted && (await handOver(writer, count))) return;
    let line: Buffer;
    try {
      line = await reader.readline({ signal: successor === null || !restart.signal.aborted ? restart.signal : undefined });
    } catch (error) {
      if (!restart.signal.aborted) throw error;
      continue; // nothing was read
    }
    if (line.length === 0) break;
    count += 1;
    writer.write(`${count} ${process.pid} ${line.toString()}`);
    await writer.drain();
  }
  writer.close();
}

function serve(reader: StreamReader, writer: StreamWriter, count: number = 0): Promise<void> {
  const conversation = converse(reader, writer, count);
  conversations.add(conversation);
  return conversation.finally(() => conversations.delete(conversation));
}

const onClient = (reader: StreamReader, writer: StreamWriter): Promise<void> => serve(reader, writer);

// ---- the old process -------------------------------------------------------------------------------------------------------------

/** Hands a client over. Returns whether the successor has it; else it stays. */
async function handOver(writer: StreamWriter, count: number): Promise<boolean> {
  const detached = await detachConnection(writer, { timeout: PATIENCE_MS }).catch(() => null);
  if (detached === null) return false;
  const [descriptor, received] = detached;
  try {
    await (successor as FdStreamWriter).sendFds(`${JSON.stringify({ count, received: received.toString("base64") })}\n`, [descriptor]);
    descriptor.close(); // the successor has its own
  } catch {
    successor = null; // it has died
    await adopt(descriptor, { count, received });
  }
  return true;
}

async function replace(): Promise<void> {
  const [ours, theirs] = openSocketpair();
  const { execPath, execArgv, argv } = process;
  const child = spawn(execPath, [...execArgv, argv[1] as string, path, "successor"], {
    stdio: ["inherit", "inherit", "inherit", theirs.fd],
    detached: true,
  });
  child.on("error", (error) => console.error(error.message)).unref();
  theirs.close();
  const [reader, writer] = await openFdConnection(null, { sock: ours });
  try {
    const listeners = duplicateListeners(server);
    await writer.sendFds("listeners\n", listeners);
    for (const listener of listeners) listener.close();
    if ((await reader.readline()).toString() !== "serving\n") throw new Error("it has ended before it served");
  } catch (error) {
    writer.abort();
    throw error;
  }
  successor = writer;
  server.close(); // its clients stay
  restart.abort();
  while (conversations.size > 0) await Promise.allSettled(conversations);
  writer.close();
}

function onHangup(): void {
  replace().catch((error: unknown) => {
    console.log(`${process.pid} goes on without a successor: ${error instanceof Error ? error.message : String(error)}`);
    restart = new AbortController();
    process.once("SIGHUP", onHangup);
  });
}

// ---- the new process -------------------------------------------------------------------------------------------------------------

/** Continues with a client. */
async function adopt(descriptor: Descriptor, { count, received }: { count: number; received: Buffer }): Promise<void> {
  const [reader, writer] = await openUnixConnection(null, { sock: descriptor });
  reader.unread(received);
  serve(reader, writer, count).catch((error: unknown) => {
    console.error(error);
    writer.abort();
  });
}

async function succeed(): Promise<Server> {
  const [reader, writer] = await openFdConnection(null, { sock: PREDECESSOR_FD });
  await reader.readuntil("listeners\n");
  const [listener] = reader.takeFds(1);
  const listening = await startUnixServer(onClient, null, { sock: listener as Descriptor, cleanupSocket: false });
  writer.write("serving\n");
  void (async () => {
    for await (const line of reader.lines({ encoding: "utf8", limit: 2 ** 20 })) {
      const [client] = reader.takeFds(1);
      const { count, received } = JSON.parse(line) as { count: number; received: string };
      await adopt(client as Descriptor, { count, received: Buffer.from(received, "base64") });
    }
    writer.close();
  })();
  return listening;
}

server = role === "successor" ? await succeed() : await startUnixServer(onClient, path, { mode: 0o600, cleanupSocket: false });
process.once("SIGHUP", onHangup).once("SIGTERM", async () => {
  await server.shutdown();
  rmSync(path, { force: true }); // the last process of all
  process.exit();
});
console.log(`${process.pid} serves ${path}`);
