/**
 * Two protocols on one socket: the server looks at the first byte to tell JSON requests from uploads, and reads uploads into its own
 * memory.
 *
 * Run it: node build/examples/two-protocols.js
 * You will see: the answers to a question, to an upload, and to an upload that is too large and is skipped.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";

const MAX_UPLOAD_BYTES = 100_000;

async function serveClient(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for (;;) {
    const first = (await reader.peek(1)).toString(); // stays in the reader
    if (first === "") break;
    if (first === "{") {
      const { ask } = JSON.parse((await reader.readline({ limit: 1_000 })).toString()) as { ask: string };
      writer.write(`you ask for ${ask}\n`);
      continue;
    }
    const command = await reader.readuntil("\n", { keepSeparator: false, limit: 200 });
    const [name, size] = command.toString().split(" ");
    writer.write(Number(size) > MAX_UPLOAD_BYTES ? await refuse(reader, Number(size)) : `${name} ${await digest(reader, Number(size))}\n`);
  }
  await writer.flush(); // waits until the system has taken everything
  writer.close();
}

/** Skips an upload without storing it. */
async function refuse(reader: StreamReader, size: number): Promise<string> {
  return `${await reader.skip(size)} bytes are too many\n`;
}

async function digest(reader: StreamReader, size: number): Promise<string> {
  const body = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const count = await reader.readinto(body.subarray(at));
    if (count === 0) throw new Error(`the upload ends after ${at} of ${size} bytes`);
    at += count;
  }
  return createHash("sha256").update(body).digest("hex").slice(0, 16);
}

const path = join(mkdtempSync(join(tmpdir(), "two-")), "two.sock");
const server = await startUnixServer(serveClient, path);
const [reader, writer] = await openUnixConnection(path);
writer.write('{"ask":"the weather"}\n');
writer.writelines(["letter 60000\n", Buffer.alloc(60_000, "dear ")]);
writer.writelines(["film 1000000\n", Buffer.alloc(1_000_000)]);
writer.writeEof();
for await (const line of reader.lines({ encoding: "utf8" })) console.log(line);
console.log(`${writer.bytesWritten} bytes were sent`);
writer.close();
await writer.waitClosed();
await server.shutdown();
rmdirSync(join(path, ".."));
