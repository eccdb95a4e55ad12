/**
 * One TCP port and one Unix path, served by several processes. SIGHUP restarts them one after the other, without a failed client. A process
 * that dies is replaced.
 *
 * Run it: node build/examples/cluster.js 8080 /tmp/cluster.sock 2 cluster, then in another terminal: echo hello | nc localhost 8080
 * You will see: the answer, with the id of the process that gave it; kill -HUP the first process, and the id changes.
 *
 * The last argument says how the processes share the sockets: "cluster" (node:cluster accepts in the first process and passes the
 * connections on), "handover" (the first process listens and hands its listening sockets to the others) or "reuse-port" (each process
 * listens itself, TCP only, Linux with Node 22.12 or later).
 */
import { type ChildProcess, fork } from "node:child_process";
import cluster from "node:cluster";
import { once } from "node:events";
import { rmSync } from "node:fs";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Server, type StreamReader, type StreamWriter, startServer, startUnixServer } from "asyncio-streams";

/** How long a process that is replaced may serve its last clients. */
const GRACE_MS = 10_000;

/** A process that dies at once is not replaced at once. */
const RESPAWN_MS = 100;

const [port = "8080", path = "/tmp/cluster.sock", count = "2", how = "cluster", role = "first"] = process.argv.slice(2);
const HOST = "127.0.0.1";
/** The port that the workers listen on: if it was 0, the one that the first of them got. */
let sharedPort = Number(port);

/** Serves a client: one request, one answer. */
async function serve(reader: StreamReader, writer: StreamWriter): Promise<void> {
  const line = await reader.readline();
  if (line.length > 0) writer.write(`${process.pid} ${String(line)}`);
  writer.close();
}

/** Listens with Node's own server. */
async function listening(options: net.ListenOptions): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen({ backlog: 1_000, ...options });
  await once(server, "listening");
  return server;
}

/**
 * Listens in a worker of node:cluster, where the first process accepts, and adopts the server. Connections may come before the promise of
 * "listening" has resolved: they are kept, and passed on once the adopted server receives them.
 */
async function adopting(options: net.ListenOptions, adopt: (sock: net.Server) => Promise<Server>): Promise<Server> {
  const sock = net.createServer({ allowHalfOpen: true });
  const early: net.Socket[] = [];
  const keep = (socket: net.Socket): void => void early.push(socket);
  sock.on("connection", keep).listen(options);
  await once(sock, "listening");
  const adopted = adopt(sock.off("connection", keep));
  for (const socket of early) sock.emit("connection", socket);
  return adopted;
}

// ---- the worker ------------------------------------------------------------------------------------------------------------------

async function work(): Promise<void> {
  const servers: Server[] = [];
  let finished: Promise<void> | undefined;
  const finish = (): Promise<void> => (finished ??= end());
  const end = async (): Promise<void> => {
    // First: node:cluster passes on the connections that are on their way here. An exit() would lose them.
    cluster.worker?.disconnect();
    for (const server of servers) server.close(); // who is connected is served, also without having asked yet
    const deadline = AbortSignal.timeout(GRACE_MS);
    await Promise.all(servers.map((server) => server.waitClosed({ signal: deadline }).catch(() => server.abortClients())));
    if (process.connected && !cluster.isWorker) process.disconnect(); // then nothing keeps the process alive
  };
  // The first process is gone. Node: a server that it was sending would keep this process alive.
  const leave = (): void => void finish().then(() => process.exit());
  process.once("disconnect", leave);
  if (!process.connected) leave();
  process.on("SIGHUP", () => {}).on("SIGINT", () => {}); // a terminal sends them to all processes: the first one decides
  const handedOver: net.Server[] = [];
  process.on("message", (message: unknown, handle?: unknown) => {
    if (message === "finish") void finish();
    else if (handle instanceof net.Server) {
      // At once: a connection that is accepted before would be lost.
      const sock = handle;
      handedOver.push(sock);
      void start(message === "tcp" ? startServer(serve, null, null, { sock }) : startUnixServer(serve, null, { sock }));
    } else if (typeof message === "number") handedOver[message]?.emit("connection", handle);
  });

  async function start(starting: Promise<Server>): Promise<void> {
    const server = await starting;
    servers.push(server);
    if (finished !== undefined) server.close();
    else if (servers.length === (how === "reuse-port" ? 1 : 2)) process.send?.({ serves: servers[0]?.sockets[0]?.getsockname() });
  }

  if (how === "cluster") {
    const backlog = 1_000;
    await start(adopting({ host: HOST, port: sharedPort, backlog }, (sock) => startServer(serve, null, null, { sock })));
    await start(adopting({ path, backlog }, (sock) => startUnixServer(serve, null, { sock })));
  } else if (how === "reuse-port") await start(startServer(serve, HOST, sharedPort, { reusePort: true, backlog: 1_000 }));
}

// ---- the first process -----------------------------------------------------------------------------------------------------------

/** Starts a process. node:cluster would take a handed over socket for one to share, so it is used for its own way alone. */
function startProcess(): ChildProcess {
  return how === "cluster"
    ? cluster.fork().process
    : fork(fileURLToPath(import.meta.url), [String(sharedPort), path, count, how, "worker"]);
}

async function lead(): Promise<void> {
  const workers = new Set<ChildProcess>();
  const ready = new WeakSet<ChildProcess>();
  const handles = how === "handover" ? await Promise.all([listening({ host: HOST, port: sharedPort }), listening({ path })]) : [];
  let ending = false;

  // Node: a process that listens accepts. The clients that the first process gets go to the others in turn.
  let turn = 0;
  const handOut = (index: number, client: net.Socket): void => {
    const connected = [...workers].filter((worker) => worker.connected);
    turn += 1;
    const worker = connected[turn % connected.length];
    if (worker === undefined) client.destroy();
    // A worker that has just been killed takes no client: another one does.
    else worker.send(index, client, (error) => error && handOut(index, client));
  };
  for (const [index, handle] of handles.entries()) handle.on("connection", (client) => handOut(index, client));

  /** Starts a worker, and waits until it serves. If it dies before, starts another one. */
  async function start(): Promise<readonly [host: string, port: number]> {
    while (!ending) {
      const worker = startProcess();
      workers.add(worker);
      const served = await serving(worker);
      if (served !== null) {
        ready.add(worker);
        worker.once("exit", () => onDeath(worker));
        return served;
      }
      workers.delete(worker);
      await delay(RESPAWN_MS);
    }
    return [HOST, sharedPort];
  }

  /** Hands the sockets to a worker. Returns what it listens on once it serves; `null` if it dies. */
  function serving(worker: ChildProcess): Promise<readonly [host: string, port: number] | null> {
    return new Promise((resolve) => {
      worker.once("exit", () => resolve(null)).on("error", () => {}); // it has died, and "exit" follows
      worker.on("message", (message: { serves?: readonly [string, number] }) => {
        if (message.serves !== undefined) resolve(message.serves); // node:cluster sends messages of its own
      });
      for (const [index, handle] of handles.entries()) worker.send(index === 0 ? "tcp" : "unix", handle, () => {});
    });
  }

  /** Replaces a worker that has died. During a restart, there may be enough others. */
  async function onDeath(worker: ChildProcess): Promise<void> {
    if (!workers.delete(worker) || ending) return; // replaced, or no longer needed
    console.log(`${worker.pid} died`);
    await delay(RESPAWN_MS);
    if (workers.size < Number(count)) await start();
  }

  /** Ends a worker: others serve its future clients already. */
  async function finish(worker: ChildProcess): Promise<void> {
    workers.delete(worker);
    if (worker.exitCode !== null || worker.signalCode !== null) return;
    const exited = new Promise((resolve) => worker.once("exit", resolve));
    if (ready.has(worker))
      worker.send("finish", () => {}); // it may be dying
    else worker.kill("SIGKILL"); // Node: a message that comes while a worker of node:cluster starts is lost
    await exited;
  }

  async function restart(): Promise<void> {
    for (const worker of [...workers]) {
      if (!workers.has(worker)) continue; // it has died meanwhile
      await start(); // first, so that there is always one
      await finish(worker);
    }
    while (workers.size < Number(count)) await start();
    console.log("restarted");
  }

  [, sharedPort] = await start();
  while (workers.size < Number(count)) await start();
  console.log(`${process.pid} listens on ${HOST}:${sharedPort} and ${how === "reuse-port" ? "no path" : path}`);
  let restarting = Promise.resolve();
  process.on("SIGHUP", () => {
    restarting = restarting.then(restart); // one after the other
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      ending = true;
      for (const handle of handles) handle.close();
      await Promise.all([...workers].map(finish));
      rmSync(path, { force: true });
      process.exit(0);
    });
  }
}

await (cluster.isPrimary && role === "first" ? lead() : work());
