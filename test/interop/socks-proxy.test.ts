/** curl through the proxy of `examples/socks-proxy.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openConnection, type Server, startServer } from "asyncio-streams";
import { proxy, type Target } from "../../examples/socks-proxy.js";
import { exampleCommand, startExample } from "../examples/run-example.js";
import { freePort } from "../support/bare-sockets.js";
import { payload } from "../support/payload.js";
import { temporaryDirectory } from "../support/temporary.js";
import { findProgram } from "./program.js";

const curl = findProgram("curl", "curl");
const MUCH = Buffer.concat(Array.from({ length: 3 }, () => payload(2_000_000)));

async function run(...args: readonly string[]): Promise<{ code: number | null; output: Buffer; errors: string }> {
  const child: ChildProcess = spawn(curl, ["--silent", "--show-error", "--noproxy", "", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const output: Buffer[] = [];
  let errors = "";
  child.stdout?.on("data", (data: Buffer) => output.push(data));
  child.stderr?.on("data", (data: Buffer) => (errors += data.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output: Buffer.concat(output), errors };
}

describe("curl through the example proxy", () => {
  let http: HttpServer;
  let server: Server;
  let proxyAddress: string;
  let origin: string;
  const done: [Target, number, number][] = [];

  before(async () => {
    http = createServer((request, response) => {
      if (request.method !== "PUT") {
        response.end(MUCH);
        return;
      }
      const hash = createHash("sha256");
      request.on("data", (chunk: Buffer) => hash.update(chunk)).on("end", () => response.end(hash.digest("hex")));
    });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    origin = `localhost:${(http.address() as AddressInfo).port}`;
    server = await startServer(
      proxy((...connection) => done.push(connection)),
      "127.0.0.1",
      0,
    );
    const [host, port] = server.sockets[0]?.getsockname() as [string, number];
    proxyAddress = `${host}:${port}`;
  });

  after(async () => {
    await server.shutdown();
    http.close();
  });

  const ways: Readonly<Record<string, () => string[]>> = {
    "SOCKS5 with a name": () => ["--socks5-hostname", proxyAddress],
    "SOCKS5 with an address": () => ["--socks5", proxyAddress],
    "HTTP CONNECT": () => ["--proxytunnel", "--proxy", `http://${proxyAddress}`],
  };

  for (const [way, options] of Object.entries(ways)) {
    it(`downloads 6 MB, byte for byte: ${way}`, async () => {
      const { code, output, errors } = await run(...options(), "--ipv4", `http://${origin}/`);
      assert.equal(code, 0, errors);
      assert.ok(output.equals(MUCH));
    });

    it(`uploads 6 MB, byte for byte: ${way}`, async () => {
      const file = join(temporaryDirectory(), "upload");
      writeFileSync(file, MUCH);
      const { code, output, errors } = await run(...options(), "--ipv4", "--upload-file", file, `http://${origin}/`);
      assert.equal(code, 0, errors);
      assert.equal(output.toString(), createHash("sha256").update(MUCH).digest("hex"));
    });

    it(`reports a target that does not answer: ${way}`, async () => {
      const { code, errors } = await run(...options(), "--ipv4", `http://localhost:${await freePort()}/`);
      assert.ok(code !== 0 && code !== null);
      assert.match(errors, /host unreachable|Can't complete SOCKS5 connection|\(4\)|502/i);
    });
  }

  it("counts the bytes of both directions", () => {
    assert.ok(done.some(([{ host }, , back]) => host === "localhost" && back > MUCH.length));
    assert.ok(done.some(([, forth]) => forth > MUCH.length));
  });

  for (const [what, request, answer] of [
    ["an HTTP request that is not CONNECT", "GET http://example.com/ HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "],
    ["a SOCKS5 client that insists on a password", Buffer.from([5, 1, 2]), "\x05\xff"],
    ["a SOCKS5 client that wants to listen", Buffer.from([5, 1, 0, 5, 2, 0, 1, 127, 0, 0, 1, 0, 80]), "\x05\x00\x05\x07"],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const [host, port] = server.sockets[0]?.getsockname() as [string, number];
      const [reader, writer] = await openConnection(host, port);
      writer.write(request);
      assert.equal((await reader.read()).toString("latin1").slice(0, answer.length), answer);
      writer.close();
      await writer.waitClosed();
    });
  }

  it("is a program that prints what its header says", async () => {
    const port = await freePort();
    const example = startExample([...exampleCommand("socks-proxy.js"), String(port)], join(temporaryDirectory(), "unused"));
    try {
      assert.equal(await example.nextLine(), `listens on 127.0.0.1,${port}`);
      const { code } = await run("--socks5-hostname", `127.0.0.1:${port}`, `http://${origin}/`);
      assert.equal(code, 0);
      assert.match(await example.nextLine(), /^localhost:\d+: \d+ bytes, 6\d{6} back$/);
    } finally {
      process.kill(example.process.pid as number, "SIGTERM");
    }
    assert.equal(await example.ended(), "");
  });
});
