/**
 * Run with a way to end and the path of a socket, or nothing for TCP: serves there, and ends without a call of `process.exit()`.
 *
 * `sigterm` answers each line after a while, and shuts down at SIGTERM; `using` serves one client's line, and leaves its `await using` block then; `stuck` has a callback that never ends,
 * and shuts down at SIGTERM with a short grace.
 */
import { type Server, type StreamReader, type StreamWriter, startServer, startUnixServer } from "asyncio-streams";
import { tell } from "../support/parent.js";

const [, , way = "", path = ""] = process.argv;
let served = (): void => {};
const first = new Promise<void>((resolve) => {
  served = resolve;
});

async function answer(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    writer.write(`${line.toString().trimEnd()} is answered\n`);
    await writer.drain();
    served();
    if (way === "stuck") await new Promise(() => {});
  }
  writer.close();
}

async function start(): Promise<Server> {
  const server = path === "" ? await startServer(answer, "127.0.0.1", 0) : await startUnixServer(answer, path);
  tell(server.sockets[0]!.getsockname());
  return server;
}

if (way === "using") {
  await using _server = await start();
  await first;
} else {
  const server = await start();
  process.once("SIGTERM", async () => tell(await server.shutdown({ graceMs: way === "stuck" ? 50 : 60_000 })));
  await server.serveForever();
}
