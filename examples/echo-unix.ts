/**
 * An echo server on a Unix socket, and a client.
 *
 * Run it: node build/examples/echo-unix.js
 * You will see: the three echoed lines.
 */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";

async function echo(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader) {
    writer.write(line);
    await writer.drain();
  }
  writer.close();
}

const directory = mkdtempSync(join(tmpdir(), "echo-"));
const path = join(directory, "echo.sock");
const server = await startUnixServer(echo, path, { mode: 0o600 });

const [reader, writer] = await openUnixConnection(path);
writer.writelines(["one\n", "two\n", "three\n"]);
writer.writeEof();
for await (const line of reader) console.log(line.toString().trimEnd());
writer.close();
await writer.waitClosed();

await server.shutdown();
rmdirSync(directory);
