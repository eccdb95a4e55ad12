/** node:readline over node:net, as its documentation shows it. */
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { BACKLOG, chooseForm, path, sayReady } from "./arguments.js";

async function iterate(socket: net.Socket): Promise<void> {
  socket.on("error", () => socket.destroy());
  for await (const line of createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (!socket.write(`${line}\n`)) await once(socket, "drain");
  }
}

async function crlf(socket: net.Socket): Promise<void> {
  socket.on("error", () => socket.destroy());
  for await (const line of createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (!socket.write(`${line}\r\n`)) await once(socket, "drain");
  }
}

async function json(socket: net.Socket): Promise<void> {
  socket.on("error", () => socket.destroy());
  for await (const line of createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (!socket.write(`${JSON.stringify(JSON.parse(line))}\n`)) await once(socket, "drain");
  }
}

const serveClient = chooseForm({ iterate, crlf, json });
net.createServer((socket) => void serveClient(socket)).listen({ path, backlog: BACKLOG }, sayReady);
