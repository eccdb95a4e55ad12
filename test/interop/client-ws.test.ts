/** ws over connections of ours, in either role: its client to an HTTP server of Node, and its server behind a server of ours. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { type EventEmitter, once } from "node:events";
import http from "node:http";
import type { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { startUnixServer, toDuplex } from "asyncio-streams";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { clientOf, connectedDuplex } from "./clients.js";

interface Socket extends EventEmitter {
  send(data: Buffer | string): void;
  ping(): void;
  close(code: number, reason: string): void;
}

interface Ws {
  WebSocket: new (url: string, options?: { createConnection: () => Duplex }) => Socket;
  WebSocketServer: new (options: { server: http.Server }) => EventEmitter;
}

/** Sends back what it receives. */
function echoing(server: http.Server): void {
  const { WebSocketServer } = clientOf<Ws>("ws");
  new WebSocketServer({ server }).on("connection", (socket: Socket) => socket.on("message", (data: Buffer) => socket.send(data)));
}

async function converse(socket: Socket): Promise<void> {
  await once(socket, "open");
  for (const message of [Buffer.from("hello"), Buffer.alloc(3_000_000, 7)]) {
    socket.send(message);
    const [back] = (await once(socket, "message")) as [Buffer];
    assert.ok(message.equals(back));
  }
  socket.ping();
  await once(socket, "pong");
  socket.close(1000, "bye");
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  assert.deepEqual([code, reason.toString()], [1000, "bye"]);
}

describe("ws", () => {
  it("connects over a connection of ours", cannot("npm-clients", "bun"), async () => {
    const path = socketPath();
    const server = http.createServer();
    echoing(server);
    await new Promise<void>((resolve) => void server.listen(path, resolve));
    const duplex = await connectedDuplex(path);
    const { WebSocket } = clientOf<Ws>("ws");
    await converse(new WebSocket("ws://localhost/chat", { createConnection: () => duplex }));
    await new Promise((resolve) => server.close(resolve));
  });

  it("serves connections of ours", cannot("npm-clients", "bun"), async () => {
    const path = socketPath();
    const httpServer = http.createServer();
    echoing(httpServer);
    const server = await startUnixServer((reader, writer) => {
      httpServer.emit("connection", toDuplex(reader, writer, { allowHalfOpen: true }));
    }, path);
    const { WebSocket } = clientOf<Ws>("ws");
    await converse(new WebSocket(`ws+unix://${path}:/chat`));
    await server.shutdown();
  });
});
