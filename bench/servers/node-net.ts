/** Bare node:net and node:tls, as a good engineer writes them: no copy that can be avoided, and back-pressure. */
import net from "node:net";
import { createServer } from "node:tls";
import { BACKLOG, chooseForm, path, sayReady, tls } from "./arguments.js";

const NEWLINE = 10;

function onSocketDrain(this: net.Socket): void {
  this.resume();
}

function onSocketError(this: net.Socket): void {
  this.destroy();
}

/** Answers each line with one write. */
function lines(socket: net.Socket): void {
  let rest: Buffer | null = null;
  socket.on("data", (chunk: Buffer) => {
    const data: Buffer = rest === null ? chunk : Buffer.concat([rest, chunk]);
    let searchFrom = rest === null ? 0 : rest.length;
    let start = 0;
    let free = true;
    for (;;) {
      const newline = data.indexOf(NEWLINE, searchFrom);
      if (newline === -1) break;
      free = socket.write(data.subarray(start, newline + 1));
      searchFrom = start = newline + 1;
    }
    rest = start === data.length ? null : data.subarray(start);
    if (!free) socket.pause();
  });
  socket.on("drain", onSocketDrain);
  socket.on("error", onSocketError);
}

/** Answers each chunk as it is: no protocol can work so. */
function chunks(socket: net.Socket): void {
  socket.on("data", (chunk: Buffer) => {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on("drain", onSocketDrain);
  socket.on("error", onSocketError);
}

function swallow(socket: net.Socket): void {
  socket.on("data", () => {});
  socket.on("error", onSocketError);
}

/** A server that does not listen: it secures the connections of another one with its context. */
const securing = createServer({ ...tls }, lines);

/** A command in the clear, its answer, and then lines over TLS. */
function startTls(socket: net.Socket): void {
  socket.on("error", onSocketError);
  socket.once("data", () => {
    socket.write("go ahead\n");
    securing.emit("connection", socket);
  });
}

const onConnection = chooseForm({ lines, chunks, swallow, startTls });
const server = tls === undefined || onConnection === startTls ? net.createServer(onConnection) : createServer(tls, onConnection);
if (path === "tcp")
  server.listen({ host: "127.0.0.1", port: 0, backlog: BACKLOG }, () => sayReady((server.address() as net.AddressInfo).port));
else server.listen({ path, backlog: BACKLOG }, sayReady);
