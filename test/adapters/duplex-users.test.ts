/** Programs made for sockets, on a Duplex of ours. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import http from "node:http";
import { createInterface } from "node:readline/promises";
import type { Duplex } from "node:stream";
import { describe, it } from "node:test";
import tls from "node:tls";
import { openUnixConnection, startUnixServer, toDuplex } from "asyncio-streams";
import { identity, trust } from "../support/certificates.js";
import { openPair, unix } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { gather } from "./ended.js";

/** An HTTP server of Node on connections of ours. */
async function serveHttp(listener: http.RequestListener): Promise<{ path: string; end: () => Promise<unknown> }> {
  const path = socketPath();
  const httpServer = http.createServer(listener);
  const server = await startUnixServer((reader, writer) => {
    httpServer.emit("connection", toDuplex(reader, writer, { allowHalfOpen: true }));
  }, path);
  return { path, end: () => server.shutdown() };
}

describe("node:http on toDuplex", () => {
  it("asks and answers, with bodies both ways", async () => {
    const { path, end } = await serveHttp((request, response) => {
      void gather(request).then((body) => response.writeHead(201, { "x-length": body.length }).end(body.toUpperCase()));
    });
    const [reader, writer] = await openUnixConnection(path);
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const options = { method: "POST", path: "/", createConnection: () => toDuplex(reader, writer) };
      http
        .request(options as http.RequestOptions, resolve)
        .on("error", reject)
        .end("x".repeat(1_000_000));
    });
    assert.equal(response.statusCode, 201);
    assert.equal(response.headers["x-length"], "1000000");
    assert.equal(await gather(response), "X".repeat(1_000_000));
    await writer.waitClosed();
    await end();
  });

  it("keeps a connection for several requests through an agent", async () => {
    // Deno: its own HTTP server ends a Duplex that was given to it after one answer; so this one listens itself.
    const httpServer = http.createServer((request, response) => response.end(`you asked for ${request.url}`));
    const path = socketPath();
    await new Promise<void>((resolve) => httpServer.listen(path, resolve));
    let connections = 0;
    // The types want sockets; at run time any Duplex will do.
    const agent = Object.assign(new http.Agent({ keepAlive: true, maxSockets: 1 }), {
      createConnection(_options: object, connected: (error: Error | null, stream?: Duplex) => void): void {
        connections += 1;
        openUnixConnection(path).then(
          ([reader, writer]) => connected(null, toDuplex(reader, writer)),
          (error: Error) => connected(error),
        );
      },
      // These two would set options of a socket.
      keepSocketAlive: () => true,
      reuseSocket: () => {},
    });
    const get = async (url: string): Promise<string> => {
      const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
        http.get({ path: url, agent } as http.RequestOptions, resolve).on("error", reject);
      });
      return gather(response);
    };
    assert.equal(await get("/one"), "you asked for /one");
    assert.equal(await get("/two"), "you asked for /two");
    assert.equal(connections, 1);
    agent.destroy();
    await new Promise((resolve) => httpServer.close(resolve));
  });
});

describe("node:tls on toDuplex", () => {
  it("secures the connection inside", async () => {
    await using pair = await openPair(unix);
    const server = tls.createServer(identity("server"));
    server.on("secureConnection", (secured) => secured.on("data", (chunk) => secured.end(`you said ${chunk}`)));
    server.emit("connection", toDuplex(pair.peer.reader, pair.peer.writer));
    const client = tls.connect({ socket: toDuplex(pair.client.reader, pair.client.writer), servername: "localhost", ...trust });
    client.write("hello");
    assert.equal(await gather(client), "you said hello");
    client.destroy();
  });
});

describe("node:readline on toDuplex", () => {
  it("sends the question and receives the answer", async () => {
    await using pair = await openPair(unix);
    const duplex = toDuplex(pair.client.reader, pair.client.writer);
    const prompt = createInterface({ input: duplex, output: duplex });
    const name = prompt.question("your name? ");
    assert.equal(String(await pair.peer.reader.readuntil("? ")), "your name? ");
    pair.peer.writer.write("Ada\n");
    assert.equal(await name, "Ada");
    prompt.close();
    duplex.destroy();
  });
});
