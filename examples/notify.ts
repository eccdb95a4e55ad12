/**
 * A service that systemd starts with Type=notify: it reports when it is ready, what it does, that it is alive (WatchdogSec=), and that it
 * stops. It takes its socket from systemd, too. Needs Linux; on Node: npm install koffi.
 *
 * Run it: node build/examples/notify.js /tmp/notify.sock, in a unit or, to read its messages,
 *   with NOTIFY_SOCKET=/tmp/manager.sock behind: socat UNIX-RECV:/tmp/manager.sock - (and kill -TERM its process id)
 * You will see: where it listens, and whether there is a service manager; in socat READY=1, STATUS=..., STOPPING=1.
 */
import { listenFds, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import { loadUnix, sdNotify, sdWatchdogMs } from "asyncio-streams/unix";

await loadUnix();
let served = 0;

async function serveClient(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader) writer.write(line);
  writer.close();
  served += 1;
  await sdNotify(`STATUS=${served} clients served\n`); // systemctl status shows it
}

const [path = "/tmp/notify.sock"] = process.argv.slice(2);
const [activated] = listenFds();
const server = activated
  ? await startUnixServer(serveClient, null, { sock: activated.fd })
  : await startUnixServer(serveClient, path, { mode: 0o660 });

process.once("SIGTERM", async () => {
  await sdNotify("STOPPING=1\n");
  await server.shutdown({ graceMs: 5_000 });
});

// After Type=notify, systemd starts what depends on this service only now.
const isManaged = await sdNotify(`READY=1\nSTATUS=serving\nMAINPID=${process.pid}\n`);
console.log(
  `listens on ${String(server.sockets[0]?.getsockname())}, ${isManaged ? "and has notified the service manager" : "without a service manager"}`,
);

// A process that is stuck does not come here, and systemd restarts it.
const watchdogMs = sdWatchdogMs();
if (watchdogMs !== null) setInterval(() => void sdNotify("WATCHDOG=1\n"), watchdogMs / 2).unref();
