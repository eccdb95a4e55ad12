/**
 * The load generator for where load.c cannot be used: no gcc, or TLS. The same in TypeScript, on bare node:net and node:tls:
 *
 *   load.js <socket path> echo|churn|swallow <connections> <lines> <line bytes> lf|prefixed|crlf|json
 *     [<file of the authority to trust, for TLS> [ssl|startTls new|resumed]]
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { setImmediate } from "node:timers/promises";
import tls from "node:tls";
import { obeyRuns } from "./runs.js";

const [, , path = "", kind, connections, lines, lineBytes, format, authorityFile, begin, sessions] = process.argv;
const BLOCK_BYTES = 1_048_576;

/** One message: a letter, and what its format has around it. */
function messageOf(letter: string, bytes: number): Buffer {
  const message = Buffer.alloc(bytes, letter);
  const [head, tail] =
    format === "json" ? ['{"id":123456,"name":"', '","ok":true,"list":[1,2,3]}\n'] : ["", format === "crlf" ? "\r\n" : "\n"];
  if (format === "prefixed") message.writeUInt32BE(bytes - 4);
  else message.write(tail, bytes - tail.length);
  message.write(head);
  return message;
}

/** What a connection sends at once, and has to get back. */
const batch = Buffer.concat(
  Array.from({ length: Number(lines) }, (_, line) => {
    const letter = "abcdefghijklmnopqrstuvwxyz".charAt(line % 26);
    return messageOf(letter, Number(lineBytes));
  }),
);

/** Tries again while the server's queue of connections is full; the C program's connect waits by itself. */
async function openConnection(): Promise<net.Socket> {
  for (;;) {
    try {
      return await tryToConnect();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      await setImmediate();
    }
  }
}

const secureContext = authorityFile === undefined ? undefined : tls.createSecureContext({ ca: readFileSync(authorityFile) });
/** The session that further connections resume. */
let session: Buffer | undefined;

async function tryToConnect(): Promise<net.Socket> {
  if (secureContext !== undefined && begin !== "startTls") return secure({ path });
  const socket = net.connect({ path, allowHalfOpen: secureContext === undefined });
  await once(socket, "connect");
  if (secureContext === undefined) return socket;
  socket.write("STARTTLS\n");
  await once(socket, "data"); // its answer
  return secure({ socket });
}

async function secure(over: tls.ConnectionOptions): Promise<tls.TLSSocket> {
  const resumed = sessions === "resumed" && session !== undefined;
  const socket = tls.connect({ ...over, secureContext, servername: "localhost", ...(resumed ? { session } : {}) });
  socket.on("session", (latest) => {
    session = latest;
  });
  await once(socket, "secureConnect");
  if (socket.isSessionReused() !== resumed) throw new Error(`a session was ${resumed ? "not " : ""}resumed`);
  return socket;
}

/** Sends the batch, and calls back when it is back. */
function sendBatch(socket: net.Socket, onAnswered: () => void): void {
  let received = 0;
  const onData = (chunk: Buffer): void => {
    if (!chunk.equals(batch.subarray(received, received + chunk.length))) throw new Error("the answer differs from what was sent");
    received += chunk.length;
    if (received < batch.length) return;
    socket.off("data", onData);
    onAnswered();
  };
  socket.on("data", onData);
  socket.write(batch);
}

/** Sends batch after batch on one connection, or each on a connection of its own. */
function sendBatches(kept: net.Socket | null, end: number, latencies: number[]): Promise<number> {
  let batches = 0;
  return new Promise((resolve, reject) => {
    const next = async (): Promise<void> => {
      const began = performance.now();
      const socket = kept ?? (await openConnection());
      sendBatch(socket, () => {
        const now = performance.now();
        latencies.push(now - began);
        batches += 1;
        if (kept === null) socket.destroy();
        if (now >= end) resolve(batches);
        else next().catch(reject);
      });
    };
    next().catch(reject);
  });
}

async function sendStream(end: number): Promise<number> {
  const block = Buffer.alloc(BLOCK_BYTES);
  const socket = await openConnection();
  let bytes = 0;
  do {
    bytes += block.length;
    if (!socket.write(block)) await once(socket, "drain");
  } while (performance.now() < end);
  socket.end();
  socket.resume();
  await once(socket, "close");
  return bytes;
}

const kept: (net.Socket | null)[] = Array.from({ length: Number(connections) }, () => null);
if (kind === "echo") {
  for (const index of kept.keys()) kept[index] = await openConnection();
}
await obeyRuns(async (end, latencies) => {
  if (kind === "swallow") return sendStream(end);
  const batches = await Promise.all(kept.map((socket) => sendBatches(socket, end, latencies)));
  return batches.reduce((sum, count) => sum + count, 0) * Number(lines);
});
