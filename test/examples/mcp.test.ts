/** The MCP transport and server of `examples/mcp-transport.ts` and `examples/mcp-server.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { describe, it } from "node:test";
import { Client, type JSONRPCMessage } from "@modelcontextprotocol/client";
import { openUnixConnection } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { serveUnix } from "../../examples/mcp-server.js";
import { StreamTransport } from "../../examples/mcp-transport.js";
import { socketPath } from "../support/temporary.js";
import { isSettled } from "../support/turns.js";

describe("StreamTransport of an MCP client or server", () => {
  it("sends no faster than the peer reads", async () => {
    const [{ reader, writer }, { reader: peerReader, writer: peerWriter }] = memoryPair();
    const transport = new StreamTransport(reader, writer);
    const message: JSONRPCMessage = { jsonrpc: "2.0", method: "notifications/x", params: { text: "x".repeat(10_000) } };
    let sent = 1;
    let sending = transport.send(message);
    for (; sent < 1_000 && (await isSettled(sending)); sent += 1) sending = transport.send(message);
    assert.ok(sent < 100, `${sent} messages were sent to a peer that does not read`);
    const line = await peerReader.readline({ limit: 20_000 });
    assert.deepEqual(JSON.parse(line.toString()), message);
    await peerReader.readexactly((sent - 1) * line.length);
    await sending;
    peerWriter.close();
    await transport.close();
  });

  it("reports a line that is not JSON, and ends the connection", async () => {
    const [{ reader, writer }, { writer: peerWriter }] = memoryPair();
    const transport = new StreamTransport(reader, writer);
    const events: string[] = [];
    const closed = new Promise<void>((resolve) => {
      transport.onclose = resolve;
    });
    transport.onerror = (error) => events.push(error.name);
    transport.onmessage = (message) => events.push((message as { method: string }).method);
    await transport.start();
    peerWriter.write('{"jsonrpc":"2.0","method":"first"}\n\n{"jsonrpc":\n{"jsonrpc":"2.0","method":"second"}\n');
    await closed;
    assert.deepEqual(events, ["first", "InvalidFrameError"]);
    assert.ok(writer.isClosing());
    peerWriter.close();
  });
});

describe("an MCP server on a Unix socket", () => {
  it("is open to its own user only, and serves a result of 20 MB to one client and another client meanwhile", async () => {
    const path = socketPath("mcp.sock");
    const server = await serveUnix(path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const clients = await Promise.all(
      [1, 2].map(async () => {
        const client = new Client({ name: "test", version: "1" });
        await client.connect(new StreamTransport(...(await openUnixConnection(path))));
        return client;
      }),
    );
    const [large, small] = await Promise.all([
      clients[0]?.callTool({ name: "report", arguments: { bytes: 20_000_000 } }),
      clients[1]?.callTool({ name: "add", arguments: { note: "in time" } }),
    ]);
    assert.equal((large?.content[0] as { text: string }).text.length, 20_000_000);
    assert.deepEqual(small?.content, [{ type: "text", text: "1" }]);
    const wrong = await clients[1]?.callTool({ name: "report", arguments: { bytes: -1 } });
    assert.equal(wrong?.isError, true);
    for (const client of clients) await client.close();
    await server.shutdown();
  });

  it("ends the calls of its clients when it shuts down", async () => {
    const path = socketPath("mcp.sock");
    const server = await serveUnix(path);
    const client = new Client({ name: "test", version: "1" });
    await client.connect(new StreamTransport(...(await openUnixConnection(path))));
    const ended = new Promise<void>((resolve) => {
      client.onclose = resolve;
    });
    await server.shutdown();
    await ended;
    await assert.rejects(client.callTool({ name: "list" }));
  });
});
