/**
 * Makes calls on a platform that this is not, named by the first argument: `process.platform` and `navigator` are replaced before the library
 * is loaded. The second argument is a path for a socket. Prints the outcomes as JSON.
 */
import type { Server } from "asyncio-streams";

const [platform = "", path = ""] = process.argv.slice(2);
if (platform === "workers") Object.defineProperty(globalThis, "navigator", { value: { userAgent: "Cloudflare-Workers" } });
else Object.defineProperty(process, "platform", { value: platform });

const { createUnixServer, openConnection, openUnixConnection, startServer, startUnixServer } = await import("asyncio-streams");
const { createSubprocessExec, createSubprocessShell, STDOUT } = await import("asyncio-streams/process");
const { loadUnix } = await import("asyncio-streams/unix");
const { memoryPair } = await import("asyncio-streams/testing");
const { createServer } = await import("node:net");

const ignore = (): void => {};
const peer = createServer((socket) => {
  // Ends at the first byte of a TLS handshake.
  socket.on("error", ignore).on("data", (data: Buffer) => void (data[0] === 22 && socket.destroy()));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => peer.once("listening", resolve));
const { port } = peer.address() as { readonly port: number };

async function startTls(): Promise<void> {
  const [, writer] = await openConnection("127.0.0.1", port);
  try {
    await writer.startTls(true, { serverHostname: "localhost" });
  } finally {
    writer.transport.abort();
  }
}

async function talk(): Promise<string> {
  const [reader, writer] = await openConnection("127.0.0.1", port);
  writer.write("hello\n");
  writer.writeEof();
  const rest = await reader.read();
  writer.close();
  await writer.waitClosed();
  const [one, other] = memoryPair();
  one.writer.write("memory\n");
  return `${rest.length} ${await other.reader.readline()}`;
}

async function closed(server: Server): Promise<void> {
  server.close();
  await server.waitClosed();
}

const CALLS: Readonly<Record<string, () => Promise<unknown>>> = {
  openUnixConnection: () => openUnixConnection(path),
  startUnixServer: () => startUnixServer(ignore, path).then(closed),
  createUnixServer: () => createUnixServer(ignore as never, "\0made-up"),
  abstractName: () => openUnixConnection("\0made-up"),
  startServer: () => startServer(ignore, "127.0.0.1", 0).then(closed),
  ssl: () => openConnection("127.0.0.1", port, { ssl: true, serverHostname: "localhost" }),
  startTls,
  descriptor: () => openConnection(null, null, { sock: 99_999 }),
  createSubprocessShell: () => createSubprocessShell("true"),
  mergedOutput: () => createSubprocessExec("true", [], { stderr: STDOUT }),
  loadUnix: () => loadUnix(),
  talk,
};

const results: Record<string, unknown> = {};
for (const [name, call] of Object.entries(CALLS)) {
  try {
    const result = await call();
    results[name] = typeof result === "string" ? result : "done";
  } catch (error) {
    const { name: kind, code, message } = error as Error & { readonly code?: unknown };
    results[name] = kind === "UnsupportedError" ? `${String(code)}: ${message}` : `another error: ${String(code ?? kind)}: ${message}`;
  }
}
console.log(JSON.stringify(results));
peer.close();
