/**
 * Observes a server's connections: an access log and slow clients from `node:diagnostics_channel`, and the server's statistics.
 *
 * Run it: node build/examples/observe.js
 * You will see: a line for each connection opened or closed on the server, one for the client that was too slow, and the statistics.
 */
import { subscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DiagnosticsMessages, openUnixConnection, startUnixServer } from "asyncio-streams";

/** The names of the clients, by their transports. */
const names = new WeakMap<object, string>();

/** Subscribes to a channel, with the type of its messages. */
function on<Name extends keyof DiagnosticsMessages>(name: Name, hear: (message: DiagnosticsMessages[Name]) => void): void {
  subscribe(name, (message) => hear(message as DiagnosticsMessages[Name]));
}

on("asyncio-streams:accept", ({ transport }) => console.log(`a client of ${transport.getExtraInfo("sockname")?.toString().slice(-12)}`));
on("asyncio-streams:resume", ({ transport, direction, durationMs }) => {
  if (names.has(transport) && direction === "writing" && durationMs !== null) console.log(`${names.get(transport)} is slow`);
});
on("asyncio-streams:close", ({ transport, bytesRead, bytesWritten, error }) => {
  if (!names.has(transport)) return; // the client's end, which is also in this process
  console.log(`${names.get(transport)}: ${bytesRead} bytes in, ${bytesWritten} out, ${error?.message ?? "fine"}`);
});

const path = join(mkdtempSync(join(tmpdir(), "observe-")), "observe.sock");
const server = await startUnixServer(async (reader, writer) => {
  const [name = "?", size] = (await reader.readline()).toString().trimEnd().split(" ");
  names.set(writer.transport, name);
  writer.write(Buffer.alloc(Number(size)));
  await writer.drain();
  writer.close();
}, path);

for (const [name, size] of [
  ["Ada", 5_000],
  ["Bob", 5_000_000],
] as const) {
  const [reader, writer] = await openUnixConnection(path);
  writer.write(`${name} ${size}\n`);
  await reader.readexactly(1);
  await reader.read();
  writer.close();
  await writer.waitClosed();
}
await server.shutdown();
const { accepted, active, bytesRead, bytesWritten } = server.getStats();
console.log(`${accepted} clients, ${active} of them there; ${bytesRead} bytes in, ${bytesWritten} out`);
rmdirSync(join(path, ".."));
