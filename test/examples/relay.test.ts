/** `examples/relay.ts`: what passes through it. What it prints: see relay-transcript.test.ts. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { tcp, unix } from "../support/pairs.js";
import { receiveBytes, sendBytes } from "../support/payload.js";
import { cannot } from "../support/runtime.js";
import { isSettled, turns, until } from "../support/turns.js";
import { type Link, startLink } from "./relay-link.js";

const MIB = 1_048_576;
const CHUNK = Buffer.from("a line of text that is easily printed, and so small a part of all of them\n".repeat(800));

/**
 * How much of what was sent may be on its way, in buffers of ours and of the system's. Linux: those of a TCP connection grow to the maximum
 * of `tcp_rmem` and `tcp_wmem`, 32 and 4 MiB by default on a machine with much memory.
 */
const ways = [
  { from: unix, to: unix, mostOnItsWay: 3 * MIB },
  { from: unix, to: tcp, mostOnItsWay: 40 * MIB },
  { from: tcp, to: unix, mostOnItsWay: 40 * MIB },
] as const;

/** Ends both sides of a connection that stands. */
async function end({ client, server }: Awaited<ReturnType<Link["connect"]>>): Promise<void> {
  for (const { writer } of [client, server]) writer.close();
  for (const { writer } of [client, server]) await writer.waitClosed();
}

for (const { from, to, mostOnItsWay } of ways) {
  describe(`the relay, ${from.name} to ${to.name}`, () => {
    it("passes megabytes both ways at the same time, byte for byte", async () => {
      await using link = await startLink(from, to);
      const connection = await link.connect();
      const { client, server } = connection;
      const [up, atServer, down, atClient] = await Promise.all([
        sendBytes(client.writer, MIB / 2),
        receiveBytes(server.reader, MIB / 2),
        sendBytes(server.writer, MIB / 2),
        receiveBytes(client.reader, MIB / 2),
      ]);
      assert.deepEqual([atServer, atClient], [up, down]);
      await end(connection);
    });

    it("passes the client's end, and the answer that comes after it", async () => {
      await using link = await startLink(from, to);
      const connection = await link.connect();
      const { client, server } = connection;
      client.writer.write("a question");
      client.writer.writeEof();
      assert.equal((await server.reader.read()).toString(), "a question");
      server.writer.write("the answer");
      assert.equal((await client.reader.readexactly(10)).toString(), "the answer");
      server.writer.writeEof();
      assert.equal((await client.reader.read()).length, 0);
      await end(connection);
    });

    it("passes the server's end, and what the client sends after it", async () => {
      await using link = await startLink(from, to);
      const connection = await link.connect();
      const { client, server } = connection;
      server.writer.writeEof();
      assert.equal((await client.reader.read()).length, 0);
      client.writer.write("one more thing");
      client.writer.writeEof();
      assert.equal((await server.reader.read()).toString(), "one more thing");
      await end(connection);
    });

    for (const direction of ["client", "server"] as const) {
      it(`slows a ${direction} whose peer reads slowly, with small buffers in between`, async () => {
        await using link = await startLink(from, to);
        const connection = await link.connect();
        const { writer } = connection[direction];
        const { reader } = connection[direction === "client" ? "server" : "client"];
        let received = 0;
        let onItsWay = 0;
        const send = async (): Promise<void> => {
          for (let sent = 0; sent < 2 * mostOnItsWay; sent += CHUNK.length) {
            writer.write(CHUNK);
            await writer.drain();
          }
          writer.writeEof();
        };
        const readSlowly = async (): Promise<void> => {
          for await (const chunk of reader.chunks()) {
            received += chunk.length;
            onItsWay = Math.max(onItsWay, writer.bytesWritten - received);
            await turns(2);
          }
        };
        await Promise.all([send(), readSlowly()]);
        assert.equal(received, writer.bytesWritten);
        assert.ok(onItsWay > 0 && onItsWay < mostOnItsWay, `${onItsWay} of ${received} bytes were on their way`);
        await end(connection);
      });
    }

    it("keeps many connections apart", async () => {
      await using link = await startLink(from, to);
      const connections = [];
      for (let number = 0; number < 100; number += 1) connections.push(await link.connect());
      const talks = connections.map(async (connection, number) => {
        connection.client.writer.write(`question ${number}\n`);
        assert.equal((await connection.server.reader.readline()).toString(), `question ${number}\n`);
        connection.server.writer.write(`answer ${number}\n`);
        assert.equal((await connection.client.reader.readline()).toString(), `answer ${number}\n`);
        await end(connection);
      });
      await Promise.all(talks);
      await until(() => link.lines.filter((line) => line.endsWith("* closed")).length === connections.length);
    });

    it("cuts the server off after the client's loss, and the client after the server's", async () => {
      for (const [gone, left] of [
        ["client", "server"],
        ["server", "client"],
      ] as const) {
        await using link = await startLink(from, to);
        const connection = await link.connect();
        connection[gone].writer.abort();
        assert.equal((await connection[left].reader.read()).length, 0);
        const writeOn = async (): Promise<never> => {
          for (;;) {
            connection[left].writer.write("is anybody there?\n");
            await connection[left].writer.drain();
            await turns();
          }
        };
        await assert.rejects(writeOn(), { code: "ECONNRESET" });
        await connection[left].writer.waitClosed().catch(() => {});
      }
    });
  });
}

describe("the relay, when a connection breaks", () => {
  it("passes a reset by the client, and what came before it", async () => {
    await using link = await startLink(tcp, unix);
    const socket = net.connect({ port: link.port, host: "127.0.0.1" });
    const server = await link.accepted();
    socket.write("last words");
    assert.equal((await server.reader.readexactly(10)).toString(), "last words");
    socket.resetAndDestroy();
    assert.equal((await server.reader.read()).length, 0);
    await until(() => link.lines.at(-1)?.endsWith("* broken: read ECONNRESET") === true);
    server.writer.close();
    await server.writer.waitClosed();
  });

  it("passes what a server sent before it closed without reading", cannot("reset-by-unread-data", "bun"), async () => {
    await using link = await startLink(unix, unix);
    const { client, server } = await link.connect();
    server.writer.transport.pauseReading();
    server.writer.write("last words");
    client.writer.write("a question");
    await until(() => link.lines.some((line) => line.endsWith("> a question")));
    await turns(10);
    server.writer.abort();
    assert.equal((await client.reader.readexactly(10)).toString(), "last words");
    assert.equal((await client.reader.read()).length, 0);
    await until(() => link.lines.at(-1)?.includes("* broken: ") === true);
    client.writer.close();
    await client.writer.waitClosed();
  });

  it("ends the client's connection if there is no server, and says why", async () => {
    await using link = await startLink(unix, unix);
    await link.stopServer();
    const client = await link.connectClient();
    assert.equal((await client.reader.read()).length, 0);
    await until(() => /\* broken: connect ENOENT .*test\.sock$/.test(link.lines.at(-1) ?? ""));
    client.writer.close();
    await client.writer.waitClosed();
  });

  it("holds bytes back as long as the transcript is not printed", async () => {
    let print = (): void => {};
    const printed = new Promise<void>((resolve) => {
      print = resolve;
    });
    await using link = await startLink(unix, unix, (text) => (text.includes("> ") ? printed : undefined));
    const connection = await link.connect();
    connection.client.writer.write("hello");
    const reading = connection.server.reader.readexactly(5);
    await until(() => link.lines.some((line) => line.endsWith("> hello")));
    assert.equal(await isSettled(reading), false);
    print();
    assert.equal((await reading).toString(), "hello");
    await end(connection);
  });
});
