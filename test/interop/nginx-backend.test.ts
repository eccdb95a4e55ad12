/** nginx in front of the back end of `examples/http-backend.ts`: `proxy_pass http://unix:`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { before, describe } from "node:test";
import { type Server, startUnixServer } from "asyncio-streams";
import { serveHttp } from "../../examples/http-backend.js";
import { HttpClient } from "../../examples/http-client.js";
import { exampleCommand, startExample } from "../examples/run-example.js";
import { until } from "../support/turns.js";
import { nginxServer } from "./nginx-server.js";
import type { Program } from "./program.js";

const MIB = 1024 * 1024;
const backendSocket = ({ directory }: Program): string => join(directory, "backend.sock");

describe("a back end behind nginx", () => {
  const nginx = nginxServer(
    () => `
    location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; proxy_buffering off; }
    location /buffered/ { proxy_pass http://backend/; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /old/ { proxy_pass http://backend/; }`,
    (server) => `upstream backend { server unix:${backendSocket(server)}; keepalive 1; }`,
  );
  const { it } = nginx;
  let server: Server;
  let client: HttpClient;
  const errors: unknown[] = [];

  before(async () => {
    server = await startUnixServer(serveHttp, backendSocket(nginx), { onClientError: (error) => errors.push(error) });
    client = await HttpClient.connect(nginx.socket);
    nginx.atEnd(() => client.close());
    nginx.atEnd(() => server.shutdown());
  });

  it("answers through it, on one connection for many requests", async () => {
    for (let number = 0; number < 200; number += 1) {
      const { status, body } = await client.request("GET", "/", { "user-agent": `client ${number}` });
      assert.equal(status, 200);
      assert.equal(await text(body), `hello, client ${number}\n`);
    }
    assert.equal(server.getStats().accepted, 1);
  });

  it("answers HTTP/1.0 too, which nginx speaks by default", async () => {
    const { status, body } = await client.request("GET", "/old/", { "user-agent": "old" });
    assert.equal(status, 200);
    assert.equal(await text(body), "hello, old\n");
  });

  it("sends chunks through it", async () => {
    const { headers, body } = await client.request("GET", "/count?to=50000");
    assert.equal(headers.get("transfer-encoding"), "chunked");
    assert.equal(await text(body), Array.from({ length: 50_000 }, (_, index) => `${index + 1}\n`).join(""));
  });

  it("takes 100 MiB through it, and knows their checksum", async () => {
    const block = randomBytes(MIB);
    const sent = createHash("sha256");
    async function* blocks(): AsyncGenerator<Buffer> {
      for (let count = 0; count < 100; count += 1) {
        sent.update(block);
        yield block;
      }
    }
    const { body } = await client.request("POST", "/sum", {}, blocks());
    assert.deepEqual(JSON.parse(await text(body)), { bytes: 100 * MIB, sha256: sent.digest("hex") });
  });

  it("answers 404, and leaves the unread body", async () => {
    const { status, body } = await client.request("POST", "/buffered/nothing", {}, "x".repeat(MIB));
    assert.equal(status, 404);
    assert.equal(await text(body), "there is no /nothing here\n");
    assert.equal((await client.request("GET", "/")).status, 200);
  });

  it("notices a client that leaves in the middle of an endless answer", async () => {
    const leaving = await HttpClient.connect(nginx.socket);
    const { body } = await leaving.request("GET", "/count");
    assert.match(String((await body.next()).value), /^1\n2\n/);
    errors.length = 0; // nginx does not send all of what a back end has refused
    await leaving.close();
    await until(() => errors.length > 0);
    assert.match(String(errors.at(-1)), /EPIPE|ECONNRESET|[Cc]onnection lost/);
  });

  it("starts, serves and ends as its header says", async () => {
    const path = join(nginx.directory, "example.sock");
    const example = startExample([...exampleCommand("http-backend.js"), path], path);
    assert.equal(await example.nextLine(), `listens on ${path}`);
    const direct = await HttpClient.connect(path);
    assert.equal(await text((await direct.request("GET", "/")).body), "hello, whoever you are\n");
    const echo = await direct.request("POST", "/echo", {}, "x".repeat(100_000));
    assert.equal((await text(echo.body)).length, 100_000);
    await direct.close();
    process.kill(example.process.pid as number, "SIGTERM");
    await example.ended();
    assert.ok(!existsSync(path));
  });
});
