/**
 * A complete daemon on a Unix socket: socket file or socket activation, file mode, restart without downtime, orderly shutdown. It
 * answers each line with its process id and the line.
 *
 * Run it: node build/examples/daemon.js /tmp/daemon.sock, connect with nc -U /tmp/daemon.sock, then kill -HUP or kill -TERM its process id
 *   With a socket from systemd: systemd-socket-activate -l /tmp/daemon.sock node build/examples/daemon.js
 * You will see: where it listens; on SIGHUP, that a successor takes over the socket, and that the old process ends when its clients have
 *   disconnected; on SIGTERM, how many clients finished. A second start beside a running daemon is refused.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { listenFds, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";

async function serveClient(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader) {
    writer.write(`${process.pid} ${line.toString()}`);
    await writer.drain();
  }
  writer.close();
}

function log(text: string): void {
  console.log(`${process.pid} ${text}`);
}

// ---- listen --------------------------------------------------------------------------------------------------------------------------

const [path = "/tmp/daemon.sock", order] = process.argv.slice(2);
const onClientError = (error: unknown): void => log(`a client failed: ${String(error)}`);
const [activated] = listenFds();
const server = activated
  ? await startUnixServer(serveClient, null, { sock: activated.fd, onClientError })
  : await startUnixServer(serveClient, path, { mode: 0o660, takeover: order === "takeover", onClientError });

// ---- shut down: idle clients at once, busy clients after their answer; a second signal kills the process -------------------------------

const GRACE_MS = 5_000;

async function shutDown(): Promise<void> {
  const { finished, aborted } = await server.shutdown({ graceMs: GRACE_MS });
  log(`ends: ${finished} finished, ${aborted} cut off`);
}

process.once("SIGTERM", shutDown);
process.once("SIGINT", shutDown);

// ---- restart: a successor takes over the socket's name and reports it, then this process ends ------------------------------------------

let restarting = false;

function restart(): void {
  if (restarting) return;
  restarting = true;
  const successor = fork(fileURLToPath(import.meta.url), [path, "takeover"], { detached: true });
  successor.once("message", () => {
    log(`hands over to ${successor.pid}`);
    successor.unref();
    void leave();
  });
  // If the successor cannot start, it prints the reason on stderr, and this process continues.
  successor.once("exit", () => (restarting = false));
}

/** Gives clients time before it shuts down, because a client that has just connected may not have sent anything yet. */
async function leave(): Promise<void> {
  server.close();
  await server.waitClosed({ signal: AbortSignal.timeout(GRACE_MS) }).catch(() => {});
  await shutDown();
}

// A service manager that passed the socket keeps it open while it restarts this process.
if (!activated) process.on("SIGHUP", restart);

log(`listens on ${String(server.sockets[0]?.getsockname())}`);
if (process.connected) process.send?.("serving", () => process.disconnect());
