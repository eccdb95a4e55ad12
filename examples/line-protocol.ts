/**
 * A key-value store with a line protocol (SET key value, GET key, QUIT) and its client, over a Unix socket.
 *
 * Run it: node build/examples/line-protocol.js
 * You will see: each request ("> ...") and its answer ("< ...").
 */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";

const store = new Map<string, string>();

async function serveClient(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader) {
    const [command, key = "", ...words] = line.toString().trimEnd().split(" ");
    if (command === "QUIT") break;
    if (command === "SET") store.set(key, words.join(" "));
    const answer = command === "SET" ? "OK" : command === "GET" ? (store.get(key) ?? "NONE") : `ERROR: no command ${command}`;
    writer.write(`${answer}\n`);
    await writer.drain();
  }
  writer.close();
}

const directory = mkdtempSync(join(tmpdir(), "lines-"));
const server = await startUnixServer(serveClient, join(directory, "store.sock"), { mode: 0o600 });
const [reader, writer] = await openUnixConnection(join(directory, "store.sock"));
for (const request of ["SET colour deep blue", "GET colour", "GET shape", "SING", "QUIT"]) {
  writer.write(`${request}\n`);
  const answer = (await reader.readline({ signal: AbortSignal.timeout(5_000) })).toString();
  console.log(`> ${request}\n< ${answer.trimEnd() || "(end of the connection)"}`);
}
writer.close();
await writer.waitClosed();
await server.shutdown();
rmdirSync(directory);
