/**
 * Converts Node streams to readers and writers, and back: a child process as a pair, a compressing pipeline, and Node's HTTP client
 * and server.
 *
 * Run it: node build/examples/adapters.js
 * You will see: three words sorted by `sort`, the size of a compressed upload, and an answer over HTTP.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { openUnixConnection, StreamReader, StreamWriter, startUnixServer, toDuplex } from "asyncio-streams";

const directory = mkdtempSync(join(tmpdir(), "adapters-"));

// The standard input and output of a child process become a pair.
const child = spawn("sort");
const [sorted, words] = [StreamReader.from(child.stdout), StreamWriter.from(child.stdin)];
words.writelines(["pear\n", "apple\n", "fig\n"]);
words.close();
for await (const line of sorted.lines({ encoding: "utf8" })) console.log(line);

// Both ends of a connection are part of a Node pipeline.
const uploads = await startUnixServer(
  async (reader, writer) => {
    let bytes = 0;
    for await (const chunk of reader.toReadable().pipe(createGunzip())) bytes += (chunk as Buffer).length;
    writer.write(`${bytes} bytes, ${writer.getExtraInfo("sockname")?.toString().slice(-11)}\n`);
    writer.close();
  },
  join(directory, "upload.sock"),
);
const [answer, upload] = await openUnixConnection(join(directory, "upload.sock"));
await pipeline(Readable.from([Buffer.alloc(1_000_000)]), createGzip(), upload.toWritable());
console.log(await new Response(answer.toWeb()).text());
await uploads.shutdown();

// Clients and servers that want a socket accept a Duplex.
const web = http.createServer((request, response) => response.end(`you asked for ${request.url}`));
const sites = await startUnixServer(
  (reader, writer) => {
    web.emit("connection", toDuplex(reader, writer, { allowHalfOpen: true }));
  },
  join(directory, "http.sock"),
);
const connection = toDuplex(...(await openUnixConnection(join(directory, "http.sock"))));
const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
  http.get({ path: "/colours", createConnection: () => connection }, resolve).on("error", reject);
});
for await (const chunk of response) console.log(String(chunk));
await sites.shutdown();
rmdirSync(directory);
