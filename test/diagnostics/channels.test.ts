/** What the channels of `node:diagnostics_channel` tell of connections. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { openConnection, openUnixConnection, startServer, startUnixServer } from "asyncio-streams";
import { identity, trust } from "../support/certificates.js";
import { MUCH_BYTES } from "../support/much.js";
import { kinds, openPair } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { unixTls } from "../support/tls-kinds.js";
import { turns, until } from "../support/turns.js";
import { listen } from "./messages.js";

function isDuration(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value < 60_000;
}

for (const kind of [...kinds, unixTls]) {
  describe(`diagnostics channels over ${kind.name}`, () => {
    it("publish the beginning of both ends before their protocols are called", async () => {
      using channels = listen();
      const served: boolean[] = [];
      const { server, connect } = await kind.serve((_reader, writer) => {
        served.push(channels.of("accept").some(({ transport }) => transport === writer.transport));
        writer.close();
      });
      const [reader, writer] = await connect();
      await until(() => served.length === 1);
      assert.deepEqual(served, [true]);
      const [connected] = channels.of("connect");
      assert.equal(connected?.transport, writer.transport);
      assert.ok(isDuration(connected?.durationMs));
      const [accepted] = channels.of("accept");
      assert.deepEqual(accepted?.transport.getExtraInfo("sockname"), writer.getExtraInfo("peername"));
      assert.ok(isDuration(accepted?.durationMs));
      await reader.read();
      writer.close();
      await writer.waitClosed();
      server.close();
      await server.waitClosed();
    });

    it("publish the end with the transferred bytes", async () => {
      using channels = listen("close");
      await using pair = await openPair(kind);
      pair.client.writer.write("question\n");
      await pair.peer.reader.readline();
      pair.peer.writer.write(Buffer.alloc(100_000));
      pair.peer.writer.close();
      await pair.client.reader.read();
      pair.client.writer.close();
      await Promise.all([pair.client.writer.waitClosed(), pair.peer.writer.waitClosed()]);
      const byTransport = new Map(channels.of("close").map((message) => [message.transport, message]));
      const ofClient = byTransport.get(pair.client.writer.transport);
      const ofPeer = byTransport.get(pair.peer.writer.transport);
      assert.deepEqual([ofClient?.bytesRead, ofClient?.bytesWritten, ofClient?.error], [100_000, 9, null]);
      assert.deepEqual([ofPeer?.bytesRead, ofPeer?.bytesWritten, ofPeer?.error], [9, 100_000, null]);
      assert.ok(isDuration(ofClient?.durationMs) && isDuration(ofPeer?.durationMs));
      assert.equal(channels.of("close").length, 2);
    });

    it("publish the error that ended a connection, and its end", async () => {
      using channels = listen("close", "error");
      const reason = new Error("enough");
      await using pair = await openPair(kind);
      pair.client.writer.transport.abort(reason);
      await assert.rejects(pair.client.writer.waitClosed(), (error) => error === reason);
      const { transport } = pair.client.writer;
      const ofClient = channels.told.filter((message) => message.transport === transport);
      assert.deepEqual(
        ofClient.map(({ name }) => name),
        ["error", "close"],
      );
      assert.deepEqual(channels.of("error")[0], { name: "error", transport, error: reason, during: "connection" });
      assert.equal(channels.of("close").find((message) => message.transport === transport)?.error, reason);
    });

    it("publish the pauses and resumptions of writing", async () => {
      using channels = listen("pause", "resume");
      await using pair = await openPair(kind, { server: { limit: 1_000 } });
      const { transport } = pair.client.writer;
      pair.client.writer.write(Buffer.alloc(MUCH_BYTES));
      const paused = channels.of("pause").find((message) => message.transport === transport);
      assert.equal(paused?.direction, "writing");
      assert.ok((paused?.writeBufferSize ?? 0) > 65_536);
      const drained = pair.client.writer.drain();
      await pair.peer.reader.readexactly(MUCH_BYTES);
      await drained;
      const resumed = channels.of("resume").find((message) => message.transport === transport);
      assert.equal(resumed?.direction, "writing");
      assert.ok(isDuration(resumed?.durationMs));
      assert.ok((resumed?.writeBufferSize ?? Infinity) <= transport.getWriteBufferLimits()[0]);
    });

    it("publish the pauses and resumptions of reading", async () => {
      using channels = listen("pause", "resume");
      await using pair = await openPair(kind, { client: { limit: 1_000 } });
      const { transport } = pair.client.writer;
      pair.peer.writer.write(Buffer.alloc(100_000));
      const reading = (name: "pause" | "resume"): number =>
        channels.of(name).filter((message) => message.transport === transport && message.direction === "reading").length;
      await until(() => reading("pause") > 0);
      assert.equal(reading("resume"), 0);
      await pair.client.reader.readexactly(100_000);
      assert.ok(reading("resume") > 0);
      assert.ok(channels.of("resume").every(({ durationMs }) => isDuration(durationMs)));
    });

    it("give null for a pause that began before the subscription", async () => {
      await using pair = await openPair(kind);
      const { transport } = pair.client.writer;
      transport.pauseReading();
      using channels = listen("resume");
      transport.resumeReading();
      transport.pauseReading();
      transport.resumeReading();
      const durations = channels.of("resume").map(({ durationMs }) => durationMs);
      assert.equal(durations[0], null);
      assert.ok(isDuration(durations[1]));
    });

    it("publish nothing without a subscriber, and nothing after the last one has left", async () => {
      const channels = listen();
      channels[Symbol.dispose]();
      await using pair = await openPair(kind);
      pair.client.writer.close();
      await pair.client.writer.waitClosed();
      assert.deepEqual(channels.told, []);
    });
  });
}

describe("diagnostics channels of failures", () => {
  it("publish a connection that cannot be opened", async () => {
    using channels = listen();
    const path = socketPath();
    await assert.rejects(openUnixConnection(path), { code: "ENOENT" });
    assert.deepEqual(channels.names, ["error"]);
    const [{ transport, error, during } = assert.fail()] = channels.of("error");
    assert.deepEqual([transport, (error as NodeJS.ErrnoException).code, during], [null, "ENOENT", "connect"]);
  });

  it("publish a connection whose opening is aborted", async () => {
    using channels = listen("error");
    const listener = net.createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => listener.once("listening", resolve));
    const controller = new AbortController();
    const reason = new Error("enough");
    const opening = openConnection("127.0.0.1", (listener.address() as net.AddressInfo).port, { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(opening, (error) => error === reason);
    assert.deepEqual(
      channels.of("error").map(({ error, during }) => [error, during]),
      [[reason, "connect"]],
    );
    await new Promise((resolve) => listener.close(resolve));
  });

  it("publish nothing about refused arguments", async () => {
    using channels = listen();
    await assert.rejects(openUnixConnection(5 as never), TypeError);
    await assert.rejects(openConnection("localhost", -1), RangeError);
    assert.deepEqual(channels.names, []);
  });

  it("publish a client whose TLS handshake fails", async () => {
    using channels = listen("error", "accept");
    const reports: unknown[] = [];
    const server = await startServer(() => {}, "127.0.0.1", 0, { ssl: identity("server"), onClientError: (error) => reports.push(error) });
    const [host, port] = server.sockets[0]!.getsockname() as readonly [string, number];
    const [reader, writer] = await openConnection(host, port);
    writer.write("this is no handshake\r\n\r\n");
    await reader.read().catch(() => {});
    await until(() => reports.length > 0);
    const failed = channels.of("error").find(({ during }) => during === "accept");
    assert.deepEqual([failed?.transport, failed?.error], [null, reports[0]]);
    assert.deepEqual(channels.of("accept"), []);
    writer.transport.abort();
    server.close();
    await server.waitClosed();
  });

  it("publish the error of a factory that throws", async () => {
    using channels = listen("error");
    const path = socketPath();
    const server = await startUnixServer(() => {}, path);
    const [reader, writer] = await openUnixConnection(path);
    assert.deepEqual(channels.names, []);
    writer.close();
    await reader.read();
    server.close();
    server.abortClients();
    await server.waitClosed();
  });
});

for (const kind of kinds) {
  describe(`the channel tls-upgrade over ${kind.name}`, () => {
    it("publishes both ends with their roles, and the bytes of the whole connection are counted", async () => {
      using channels = listen("tls-upgrade", "close");
      await using pair = await openPair(kind);
      pair.client.writer.write("STARTTLS\n");
      await pair.peer.reader.readline();
      const before = new Set([pair.client.writer.transport, pair.peer.writer.transport]);
      const upgrading = pair.client.writer.startTls(trust, { serverHostname: "localhost" });
      // What is read ahead is the handshake, and does not count.
      await until(() => pair.peer.reader.bufferedLength > 0);
      await Promise.all([upgrading, pair.peer.writer.startTls(identity("server"))]);
      const upgrades = new Map(channels.of("tls-upgrade").map((message) => [message.transport, message]));
      assert.equal(upgrades.get(pair.client.writer.transport)?.role, "client");
      assert.equal(upgrades.get(pair.peer.writer.transport)?.role, "server");
      assert.ok([...upgrades.values()].every(({ durationMs }) => isDuration(durationMs)));
      pair.client.writer.write("secret\n");
      await pair.peer.reader.readline();
      pair.client.writer.close();
      await Promise.all([pair.client.writer.waitClosed(), pair.peer.writer.waitClosed()]);
      const closes = channels.of("close");
      assert.equal(closes.length, 2, "the transports before the upgrade do not count");
      assert.ok(closes.every(({ transport }) => !before.has(transport)));
      const ofPeer = closes.find(({ transport }) => transport === pair.peer.writer.transport);
      assert.deepEqual([ofPeer?.bytesRead, ofPeer?.bytesWritten], [16, 0]);
      assert.equal(pair.server.getStats().bytesRead, 16);
    });

    it("is silent if the upgrade fails, which the channel error publishes", async () => {
      using channels = listen("tls-upgrade", "error");
      await using pair = await openPair(kind);
      const upgrading = pair.client.writer.startTls(trust, { serverHostname: "localhost" });
      pair.peer.writer.write("this is no handshake\r\n\r\n");
      await assert.rejects(upgrading);
      await turns(2);
      assert.deepEqual(channels.of("tls-upgrade"), []);
      assert.ok(channels.of("error").some(({ during }) => during === "tls-upgrade"));
    });
  });
}
