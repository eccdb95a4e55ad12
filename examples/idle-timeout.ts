/**
 * A server with two time limits: one for the idle time between requests, and one for each whole request.
 *
 * Run it: node build/examples/idle-timeout.js
 * You will see: an answer, the end of a request that arrives too slowly, and the end of an idle client.
 */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";

const IDLE_MS = 200;
const REQUEST_MS = 100;

async function serveClient(reader: StreamReader, writer: StreamWriter): Promise<void> {
  try {
    for (;;) {
      // `timeout` limits one call. It is cheap, and an expired call consumes nothing.
      if ((await reader.peek(1, { timeout: IDLE_MS })).length === 0) break;
      // A signal sets one deadline for several calls.
      const signal = AbortSignal.timeout(REQUEST_MS);
      const length = (await reader.readexactly(2, { signal })).readUInt16BE();
      const body = await reader.readexactly(length, { signal });
      writer.write(`${body.toString().toUpperCase()}\n`);
    }
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "TimeoutError")) throw error;
    writer.write(reader.bufferedLength > 0 ? "that takes too long\n" : "are you still there?\n");
  }
  writer.close();
}

const path = join(mkdtempSync(join(tmpdir(), "idle-")), "idle.sock");
const server = await startUnixServer(serveClient, path);
for (const sent of ["\0\x05hello\0\x09unfin", "\0\x05hello"]) {
  const [reader, writer] = await openUnixConnection(path);
  writer.write(sent);
  for await (const line of reader.lines({ encoding: "utf8" })) console.log(line);
  writer.close();
  await writer.waitClosed();
}
await server.shutdown();
rmdirSync(join(path, ".."));
