/** nginx as a web server, with the client of `examples/http-client.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { before, describe } from "node:test";
import { gunzipSync } from "node:zlib";
import { HttpClient } from "../../examples/http-client.js";
import { exampleOutput } from "./example.js";
import { nginxServer } from "./nginx-server.js";

const MIB = 1024 * 1024;

async function sha256(pieces: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

/** The same block over and over, with its number. */
async function* blocks(count: number): AsyncGenerator<Buffer> {
  const block = randomBytes(MIB);
  for (let number = 0; number < count; number += 1) {
    block.writeUInt32BE(number);
    yield Buffer.from(block);
  }
}

describe("nginx", () => {
  const nginx = nginxServer(
    () => `
    location / { add_header x-request $connection_requests; }
    location /zipped/ { alias files/; gzip on; gzip_types *; gzip_min_length 1; }
    location /uploads/ { dav_methods PUT DELETE; create_full_put_path on; }`,
  );
  const { it } = nginx;
  const file = (name: string): string => join(nginx.directory, "files", name);
  let client: HttpClient;

  before(async () => {
    writeFileSync(file("hello.txt"), "hello\n");
    writeFileSync(file("empty.txt"), "");
    writeFileSync(file("lines.txt"), Array.from({ length: 100_000 }, (_, index) => `line ${index}\n`).join(""));
    for await (const block of blocks(100)) writeFileSync(file("large"), block, { flag: "a" });
    client = await HttpClient.connect(nginx.socket);
    nginx.atEnd(() => client.close());
  });

  it("answers a thousand requests on one connection", async () => {
    const another = await HttpClient.connect(nginx.socket);
    for (let number = 1; number <= 1_000; number += 1) {
      const { status, headers, body } = await another.request("GET", "/hello.txt");
      assert.equal(status, 200);
      assert.equal(headers.get("x-request"), `${number}`);
      assert.equal(String(await buffer(body)), "hello\n");
    }
    await another.close();
  });

  it("sends 100 MiB, byte for byte", async () => {
    const { headers, body } = await client.request("GET", "/large");
    assert.equal(headers.get("content-length"), `${100 * MIB}`);
    assert.equal(await sha256(body), await sha256(createReadStream(file("large"))));
  });

  it("sends chunks when it does not know the length beforehand", async () => {
    const { headers, body } = await client.request("GET", "/zipped/lines.txt", { "accept-encoding": "gzip" });
    assert.equal(headers.get("transfer-encoding"), "chunked");
    const text = String(gunzipSync(await buffer(body)));
    assert.equal(text.split("\n").length, 100_001);
    assert.ok(text.endsWith("line 99999\n"));
  });

  it("takes 100 MiB in chunks", async () => {
    const sent = createHash("sha256");
    async function* watched(): AsyncGenerator<Buffer> {
      for await (const block of blocks(100)) {
        sent.update(block);
        yield block;
      }
    }
    const { status } = await client.request("PUT", "/uploads/new", {}, watched());
    assert.equal(status, 201);
    assert.equal(await sha256(createReadStream(file("uploads/new"))), sent.digest("hex"));
  });

  it("gives part of a file, nothing of an empty one, and no body to HEAD", async () => {
    const part = await client.request("GET", "/lines.txt", { range: "bytes=7-13" });
    assert.equal(part.status, 206);
    assert.equal(String(await buffer(part.body)), "line 1\n");
    assert.equal((await buffer((await client.request("GET", "/empty.txt")).body)).length, 0);
    const head = await client.request("HEAD", "/large");
    assert.equal(head.headers.get("content-length"), `${100 * MIB}`);
    assert.equal((await buffer(head.body)).length, 0);
  });

  it("goes on after an answer that was not read", async () => {
    await client.request("GET", "/lines.txt");
    const { status } = await client.request("GET", "/nothing");
    assert.equal(status, 404);
    assert.equal(String(await buffer((await client.request("GET", "/hello.txt")).body)), "hello\n");
  });

  it("refuses input that is not HTTP, and closes the connection", async () => {
    const another = await HttpClient.connect(nginx.socket);
    const { status, headers, body } = await another.request("GET", "/hello.txt", { "bad header": "x\0y" });
    assert.equal(status, 400);
    assert.equal(headers.get("connection"), "close");
    assert.match(String(await buffer(body)), /400 Bad Request/);
    await assert.rejects(another.request("GET", "/hello.txt"), /closed the connection|Connection lost|EPIPE|ECONNRESET/);
    await another.close().catch(() => {});
  });

  it("answers the example as its header says", () => {
    const lines = exampleOutput("http-client.js", [nginx.socket, "/hello.txt"]);
    assert.equal(lines[0], "200");
    assert.ok(lines.includes("content-length: 6"));
    assert.deepEqual(lines.slice(-3), ["", "hello", ""]);
  });
});
