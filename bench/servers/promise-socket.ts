/** The promise-socket package over node:net: it reads chunks, so the lines are split by hand. */
import net from "node:net";
import { PromiseSocket } from "promise-socket";
import { BACKLOG, chooseForm, path, sayReady } from "./arguments.js";

const NEWLINE = 10;

async function lines(rawSocket: net.Socket): Promise<void> {
  const socket = new PromiseSocket(rawSocket);
  let rest: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = (await socket.read()) as Buffer | undefined;
    if (chunk === undefined) break;
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let newline = data.indexOf(NEWLINE, rest.length); newline !== -1; newline = data.indexOf(NEWLINE, start)) {
      await socket.write(data.subarray(start, newline + 1));
      start = newline + 1;
    }
    rest = data.subarray(start);
  }
}

const serveClient = chooseForm({ lines });
net
  .createServer((socket) => {
    serveClient(socket).catch(() => socket.destroy());
  })
  .listen({ path, backlog: BACKLOG }, sayReady);
