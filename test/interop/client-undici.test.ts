/** undici, the client behind `fetch()`, over a connection of ours, with an HTTP server of Node. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import http from "node:http";
import type { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { gather } from "../adapters/ended.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { clientOf, connectedDuplex } from "./clients.js";

interface Answer {
  readonly statusCode: number;
  readonly body: { text(): Promise<string> };
}

interface Undici {
  Client: new (
    origin: string,
    options: { connect: (options: object, done: (error: Error | null, socket: Duplex | null) => void) => void },
  ) => { request(options: object): Promise<Answer>; close(): Promise<void> };
}

describe("undici", () => {
  it("sends requests on one connection, with time limits and bodies both ways", cannot("npm-clients", "bun"), async () => {
    const path = socketPath();
    const server = http.createServer((request, response) => {
      void gather(request).then((body) => response.end(`${request.url} ${body.length}`));
    });
    let connections = 0;
    server.on("connection", () => (connections += 1));
    await new Promise<void>((resolve) => void server.listen(path, resolve));
    const { Client } = clientOf<Undici>("undici");
    const client = new Client("http://localhost", {
      connect(_options, done) {
        connectedDuplex(path).then(
          (duplex) => done(null, duplex),
          (error: Error) => done(error, null),
        );
      },
    });
    for (const length of [0, 1_000_000, 10]) {
      const limits = { headersTimeout: 60_000, bodyTimeout: 60_000 };
      const answer = await client.request({ path: `/${length}`, method: "POST", body: "x".repeat(length), ...limits });
      assert.equal(answer.statusCode, 200);
      assert.equal(await answer.body.text(), `/${length} ${length}`);
    }
    assert.equal(connections, 1);
    await client.close();
    await new Promise((resolve) => server.close(resolve));
  });
});
