/** Bare node:net for frames, text, JSON and relays, as a good engineer writes them: no copy that can be avoided, and back-pressure. */
import net from "node:net";
import { BACKLOG, chooseForm, path, sayReady, upstream } from "./arguments.js";

const NEWLINE = 10;
const HEADER_BYTES = 4;

/** Finds the end of the message that begins at `start`; -1 if it is not complete. */
type FindEnd = (data: Buffer, start: number) => number;

/** Answers each message with one write. */
function serve(socket: net.Socket, findEnd: FindEnd, answer: (data: Buffer, start: number, end: number) => Buffer | string): void {
  let rest: Buffer | null = null;
  socket.on("data", (chunk: Buffer) => {
    const data: Buffer = rest === null ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    let free = true;
    for (let end = findEnd(data, 0); end !== -1; end = findEnd(data, start)) {
      free = socket.write(answer(data, start, end));
      start = end;
    }
    rest = start === data.length ? null : data.subarray(start);
    if (!free) socket.pause();
  });
  socket.on("drain", () => socket.resume());
  socket.on("error", () => socket.destroy());
}

const findFrame: FindEnd = (data, start) => {
  if (data.length < start + HEADER_BYTES) return -1;
  const end = start + HEADER_BYTES + data.readUInt32BE(start);
  return end <= data.length ? end : -1;
};

const findLine: FindEnd = (data, start) => data.indexOf(NEWLINE, start) + 1 || -1;

function frames(socket: net.Socket): void {
  serve(socket, findFrame, (data, start, end) => data.subarray(start, end));
}

function text(socket: net.Socket): void {
  serve(socket, findLine, (data, start, end) => `${data.toString("utf8", start, end - 2)}\r\n`);
}

function json(socket: net.Socket): void {
  serve(socket, findLine, (data, start, end) => `${JSON.stringify(JSON.parse(data.toString("utf8", start, end - 1)))}\n`);
}

/** Two pipes, one for each direction. */
function relay(socket: net.Socket): void {
  const other = net.connect({ path: upstream, allowHalfOpen: true });
  socket.pipe(other).pipe(socket);
  for (const [one, two] of [
    [socket, other],
    [other, socket],
  ] as const)
    one.on("error", () => two.destroy());
}

const onConnection = chooseForm({ frames, text, json, relay });
net.createServer({ allowHalfOpen: true }, onConnection).listen({ path, backlog: BACKLOG }, sayReady);
