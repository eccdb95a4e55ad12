/**
 * An HTTP/1.1 backend on a Unix socket, to run behind nginx: `proxy_pass http://unix:/tmp/backend.sock;`.
 *
 * Run it: node build/examples/http-backend.js /tmp/backend.sock & curl --unix-socket /tmp/backend.sock http://localhost/
 * You will see: where it listens, and the response that curl prints. Ctrl-C ends it after the responses in progress.
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type ClientContext, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import { type Body, type Head, readBody, readHead, writeMessage } from "./http-messages.js";

type Reply = { status?: string; type?: string; body: Body };

/** Serves all requests of a connection, one after the other, until the client or the server ends the connection. */
export async function serveHttp(reader: StreamReader, writer: StreamWriter, { signal }: ClientContext): Promise<void> {
  for (;;) {
    const request = await readHead(reader);
    if (request === null) break;
    const body = readBody(reader, request);
    const { status = "200 OK", type = "text/plain", body: reply } = await handle(request, body);
    const stays = request.headers.get("connection") !== "close" && request.start.endsWith("HTTP/1.1") && !signal.aborted;
    const headers = new Map([["content-type", type]]);
    if (!stays) headers.set("connection", "close");
    await writeMessage(writer, { start: `HTTP/1.1 ${status}`, headers }, reply);
    if (!stays) break;
    for await (const _ of body) continue; // drops the part of the body that the handler did not read
  }
  writer.close();
}

async function handle({ start, headers }: Head, body: AsyncGenerator<Buffer>): Promise<Reply> {
  const [method, target = "/"] = start.split(" ");
  const { pathname, searchParams } = new URL(target, "http://backend");
  if (pathname === "/") return { body: `hello, ${headers.get("user-agent") ?? "whoever you are"}\n` };
  if (pathname === "/count") return { body: count(Number(searchParams.get("to") ?? Number.POSITIVE_INFINITY)) };
  if (pathname === "/sum" && method === "POST") return { type: "application/json", body: JSON.stringify(await sum(body)) };
  if (pathname === "/echo" && method === "POST") return { type: "application/octet-stream", body };
  return { status: "404 Not Found", body: `there is no ${pathname} here\n` };
}

/** Yields one line for each number, to be sent in chunks. */
async function* count(to: number): AsyncGenerator<string> {
  for (let number = 1; number <= to; number += 1) yield `${number}\n`;
}

async function sum(body: AsyncGenerator<Buffer>): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of body) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = process.argv[2] ?? "/tmp/backend.sock";
  const server = await startUnixServer(serveHttp, path, { mode: 0o666 });
  console.log(`listens on ${path}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void server.shutdown({ graceMs: 5_000 }));
}
