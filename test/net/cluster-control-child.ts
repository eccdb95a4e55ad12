/** Disconnects a worker of `node:cluster` while clients come, with `node:net` alone. Tells when the worker has served, and when it has ended. */
import cluster from "node:cluster";
import net from "node:net";
import { tell } from "../support/parent.js";

const CLIENTS = 4;

/** Connects again and again, until an attempt fails because the worker does not listen any more. */
function connectAgain(port: number, onServed: () => void): void {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("data", onServed).on("error", () => {});
  socket.on("close", (failed) => {
    if (!failed) connectAgain(port, onServed);
  });
}

function runFirst(): void {
  const worker = cluster.fork();
  process.stdin.resume().on("end", () => {
    worker.process.kill("SIGKILL");
    process.exit();
  });
  worker.on("exit", () => tell("ended"));
  worker.on("listening", ({ port }) => {
    const onServed = (): void => {
      if (!isTold) worker.send("finish");
      if (!isTold) tell("served");
      isTold = true;
    };
    let isTold = false;
    for (let client = 0; client < CLIENTS; client += 1) connectAgain(port, onServed);
  });
}

function runWorker(): void {
  const server = net.createServer((socket) => socket.on("error", () => {}).end("hello")).listen(0, "127.0.0.1");
  process.on("message", () => {
    cluster.worker?.disconnect();
    server.close();
  });
}

if (cluster.isPrimary) runFirst();
else runWorker();
