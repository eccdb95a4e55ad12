/** `proxyProtocol` of servers: clients behind a proxy, over every kind of socket, with TLS and without. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import tls from "node:tls";
import {
  BaseProtocol,
  createServer,
  createUnixServer,
  type ProxyProtocolOptions,
  type SocketAddress,
  type StreamWriter,
  startServer,
  type Transport,
} from "asyncio-streams";
import { addressOf, dial, openTo } from "../support/addresses.js";
import { listeningServer } from "../support/bare-sockets.js";
import { identity, trust } from "../support/certificates.js";
import { echo } from "../support/echo.js";
import { kinds, tcp, unix } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";
import { badHeaders, IPV4, tlv, version2, withTlvs } from "./headers.js";
import { answerTo, closed, dialTo, serveProxied, V1 } from "./serving.js";

for (const kind of kinds) {
  const serve = serveProxied.bind(null, kind);

  describe(`proxyProtocol over ${kind.name}`, () => {
    for (const [name, header] of [
      ["version 1", Buffer.from(V1)],
      ["version 2", version2(0x21, 0x11, IPV4)],
    ] as const) {
      it(`tells the client's addresses, and loses no byte behind the header: ${name}`, async () => {
        const { server, peers } = await serve();
        for (const pieces of [
          [Buffer.concat([header, Buffer.from("hello\n")])],
          [header, Buffer.from("hello\n")],
          [...header, ..."hello\n"],
        ]) {
          const socket = dialTo(server).setNoDelay(true);
          await once(socket, "connect");
          for (const piece of pieces) {
            await new Promise((resolve) => socket.write(typeof piece === "number" ? Buffer.of(piece) : piece, resolve));
            await turns();
          }
          socket.end();
          assert.equal(await answerTo(socket), "hello\n");
        }
        assert.equal(peers.length, 3);
        for (const { peername, sockname, header: told, real } of peers) {
          assert.deepEqual(
            [peername, sockname],
            [
              ["192.0.2.1", 1025],
              ["198.51.100.7", 443],
            ],
          );
          assert.equal(told?.command, "proxy");
          if (kind === unix) assert.equal(real, "");
          else assert.equal((real as readonly [string, number])[0], "127.0.0.1");
        }
        await server.shutdown();
      });
    }

    for (const [name, header, command] of [
      ["LOCAL", version2(0x20, 0, Buffer.alloc(0)), "local"],
      ["an unspecified family", version2(0x21, 0, Buffer.alloc(0)), "proxy"],
      ["UNKNOWN", Buffer.from("PROXY UNKNOWN\r\n"), "proxy"],
    ] as const) {
      it(`serves a health check, whose addresses are the socket's own: ${name}`, async () => {
        const { server, peers, errors } = await serve();
        const socket = dialTo(server);
        socket.end(header);
        assert.equal(await answerTo(socket), "");
        assert.equal(peers[0]?.header?.command, command);
        assert.deepEqual(peers[0]?.peername, peers[0]?.real);
        assert.deepEqual(peers[0]?.sockname, addressOf(server));
        assert.deepEqual(errors, []);
        await server.shutdown();
      });
    }

    it("gives fields as extra info", async () => {
      const { server, peers } = await serve();
      const socket = dialTo(server);
      socket.end(withTlvs(tlv(0x01, "h2"), tlv(0x02, "a.example"), tlv(0x05, "id")));
      await answerTo(socket);
      const { alpn, authority, uniqueId } = peers[0]!.header!;
      assert.deepEqual([alpn, authority, String(uniqueId)], ["h2", "a.example", "id"]);
      await server.shutdown();
    });

    it("refuses every bad header with an error that names it, and lives on", async () => {
      const { server, peers, errors } = await serve();
      for (const [what, bytes, message] of badHeaders) {
        const socket = dialTo(server);
        socket.write(Buffer.from(bytes as string, "latin1"));
        assert.equal(await answerTo(socket), "");
        await until(() => errors.length > 0);
        const { error, writer } = errors.pop()!;
        assert.deepEqual([error.name, error.code, writer], ["ProxyProtocolError", "ERR_PROXY_PROTOCOL", null], what);
        assert.match(error.message, message);
        assert.match(error.message, kind === unix ? /^invalid PROXY protocol header from a Unix socket: / : /from 127\.0\.0\.1:\d+: /);
      }
      assert.deepEqual([peers, errors], [[], []]);
      const stats = server.getStats();
      assert.deepEqual([stats.failed, stats.accepted, stats.handshakes], [badHeaders.length, badHeaders.length, 0]);
      const socket = dialTo(server);
      socket.end(`${V1}still here\n`);
      assert.equal(await answerTo(socket), "still here\n");
      await server.shutdown();
    });

    it("reports a client that leaves before its header is complete", async () => {
      const { server, errors } = await serve();
      for (const sent of ["", "PROXY TC"]) {
        const socket = dialTo(server);
        socket.end(sent);
        await answerTo(socket);
        await until(() => errors.length > 0);
        const { error } = errors.pop()!;
        assert.equal(error.code, "ECONNRESET");
        assert.match(error.message, new RegExp(`ended before its PROXY protocol header was complete \\(${sent.length} bytes received\\)$`));
      }
      await server.shutdown();
    });

    it("refuses a sender that is not trusted, before it takes a place", async () => {
      const asked: (SocketAddress | null)[] = [];
      const trusted: ProxyProtocolOptions["trusted"] = (socket) => {
        asked.push(socket.getpeername());
        return asked.length > 1;
      };
      const { server, errors, peers } = await serve({ trusted }, { maxConnections: 1 });
      const refused = dialTo(server);
      refused.write(V1);
      assert.equal(await answerTo(refused), "");
      await until(() => errors.length > 0);
      assert.equal(errors[0]!.error.code, "ERR_PROXY_PROTOCOL");
      assert.match(errors[0]!.error.message, /^refused a connection from .*: it is not a trusted sender of PROXY headers$/);
      const served = dialTo(server);
      served.end(`${V1}x\n`);
      assert.equal(await answerTo(served), "x\n");
      assert.equal(peers.length, 1);
      assert.deepEqual(
        asked,
        kind === unix
          ? ["", ""]
          : [
              ["127.0.0.1", refusedPort(asked, 0)],
              ["127.0.0.1", refusedPort(asked, 1)],
            ],
      );
      await server.shutdown();
    });

    it("comes before the TLS handshake, also in the same packet", async () => {
      const { server, peers, errors } = await serve(true, { ssl: identity("server") });
      // The header goes out together with the first bytes of the handshake.
      const joining = net.createServer((socket) => {
        const onward = dialTo(server);
        socket.on("close", () => onward.destroy());
        socket
          .on("error", () => {})
          .once("data", (first: Buffer) => {
            onward.write(Buffer.concat([Buffer.from(V1), first]));
            socket.pipe(onward);
          });
        onward.pipe(socket);
      });
      joining.listen(0, "127.0.0.1");
      await once(joining, "listening");
      const [reader, writer] = await openTo(addressOf(joining), { ssl: trust, serverHostname: "localhost" });
      writer.write("secret\n");
      assert.equal(String(await reader.readline()), "secret\n");
      writer.close();
      await writer.waitClosed();
      joining.close();
      assert.deepEqual(peers[0]?.peername, ["192.0.2.1", 1025]);
      assert.deepEqual(errors, []);
      await server.shutdown();
    });

    it("reports a client of TLS that sends no header", async () => {
      const { server, errors } = await serve(true, { ssl: identity("server") });
      const secured = tls.connect({ ...dial(addressOf(server)), ...trust, servername: "localhost" } as tls.ConnectionOptions);
      secured.on("error", () => {});
      await closed(secured);
      await until(() => errors.length > 0);
      assert.match(errors[0]!.error.message, /the connection begins with 0x1603/);
      await server.shutdown();
    });

    it("keeps the told addresses over startTls()", async () => {
      const told: unknown[] = [];
      const { server } = await kind.serve(
        async (reader, writer) => {
          await reader.readline();
          writer.write("go\n");
          await writer.startTls(identity("server"));
          told.push(writer.getExtraInfo("peername"), writer.getExtraInfo("proxy_header")?.version);
          await echo(reader, writer);
        },
        { proxyProtocol: true },
      );
      const socket = dialTo(server);
      socket.write(`${V1}starttls\n`);
      await once(socket, "data");
      const secured = tls.connect({ socket, ...trust, servername: "localhost" });
      await once(secured, "secureConnect");
      secured.write("x\n");
      const [answer] = (await once(secured, "data")) as [Buffer];
      assert.equal(String(answer), "x\n");
      secured.end();
      await closed(secured);
      assert.deepEqual(told, [["192.0.2.1", 1025], 1]);
      await server.shutdown();
    });

    it("delivers what came behind the header to a protocol that pauses at once, and the end behind it", async () => {
      const events: string[] = [];
      let transport!: Transport;
      class Pausing extends BaseProtocol {
        override connectionMade(made: Transport): void {
          transport = made;
          made.pauseReading();
          made.resumeReading();
          made.pauseReading();
        }
        override dataReceived(data: Buffer): void {
          events.push(String(data));
          if (events.length === 1) transport.pauseReading();
        }
        override eofReceived(): boolean {
          events.push("eof");
          return false;
        }
        override connectionLost(error: Error | null): void {
          events.push(`lost ${error?.message ?? ""}`);
        }
      }
      const server =
        kind === unix
          ? await createUnixServer(() => new Pausing(), socketPath(), { proxyProtocol: true })
          : await createServer(() => new Pausing(), "127.0.0.1", 0, { proxyProtocol: true });
      const socket = dialTo(server);
      socket.end(`${V1}data`);
      await until(() => (transport as Transport | undefined) !== undefined);
      await turns(5);
      assert.deepEqual(events, []);
      transport.resumeReading();
      await until(() => events.length > 0);
      transport.resumeReading();
      await until(() => events.length === 3);
      assert.deepEqual(events, ["data", "eof", "lost "]);
      await server.shutdown();
    });

    it("works with a listening server that was handed over", async () => {
      const listening = await listeningServer(kind === unix ? "unix" : "tcp");
      const peers: unknown[] = [];
      const options = { sock: listening, proxyProtocol: true } as const;
      const callback = (_reader: unknown, writer: StreamWriter): void => {
        peers.push(writer.getExtraInfo("peername"));
        writer.close();
      };
      const { startUnixServer } = await import("asyncio-streams");
      const server =
        kind === unix
          ? await startUnixServer(callback, null, { ...options, cleanupSocket: true })
          : await startServer(callback, null, null, options);
      const socket = dialTo(server);
      socket.write(V1);
      await answerTo(socket);
      assert.deepEqual(peers, [["192.0.2.1", 1025]]);
      await server.shutdown();
    });
  });
}

/** The port of a peer that was asked about. */
function refusedPort(asked: readonly (SocketAddress | null)[], index: number): number {
  return (asked[index] as readonly [string, number])[1];
}

describe("proxyProtocol", () => {
  it("may be false", async () => {
    const { server, connect } = await tcp.serve(echo, { proxyProtocol: false });
    const [reader, writer] = await connect();
    writer.write("plain\n");
    assert.equal(String(await reader.readline()), "plain\n");
    assert.equal(writer.getExtraInfo("proxy_header"), null);
    writer.close();
    await writer.waitClosed();
    await server.shutdown();
  });

  it("trusts by address over TCP, and refuses addresses on a Unix socket", async () => {
    const errors: unknown[] = [];
    const server = await startServer(echo, "127.0.0.1", 0, {
      proxyProtocol: { trusted: ["10.0.0.0/8"] },
      onClientError: (error) => void errors.push(error),
    });
    const socket = dialTo(server);
    socket.write(V1);
    await answerTo(socket);
    await until(() => errors.length > 0);
    assert.match((errors[0] as Error).message, /^refused a connection from 127\.0\.0\.1:\d+: it is not a trusted sender/);
    await server.shutdown();
    const wrong = unix.serve(echo, { proxyProtocol: { trusted: ["10.0.0.0/8"] } });
    await assert.rejects(wrong, { code: "ERR_INVALID_ARG_VALUE", message: /must be a function on a Unix socket/ });
  });
});
