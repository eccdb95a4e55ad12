/** `sendProxyHeader`: what opened connections send first. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import type net from "node:net";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import {
  BaseProtocol,
  createConnection,
  createUnixConnection,
  type ProxyHeader,
  type SendProxyHeaderOptions,
  type SocketAddress,
} from "asyncio-streams";
import { checkSendProxyHeader, sendHeader } from "#src/net/proxy-protocol/send-header.js";
import { bareConnection, bareServer } from "../support/bare-sockets.js";
import { identity, trust } from "../support/certificates.js";
import { echo } from "../support/echo.js";
import { kinds, tcp } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";
import { IPV4, IPV6, tlv, unixNames, version2, withChecksum, withTlvs } from "./headers.js";

const MUCH = 30_000_000;

const ipv4 = { source: ["192.0.2.1", 1025], destination: ["198.51.100.7", 443] } as const;

const sent: readonly (readonly [what: string, option: SendProxyHeaderOptions, bytes: Buffer | string])[] = [
  ["IPv4", ipv4, version2(0x21, 0x11, IPV4)],
  ["a datagram", { ...ipv4, transport: "datagram" }, version2(0x21, 0x12, IPV4)],
  ["IPv6 and IPv4 together", { source: ["2001:db8::1", 1025, 0, 0], destination: ["198.51.100.7", 443] }, version2(0x21, 0x21, IPV6)],
  [
    "an address with a zone, which is left out",
    { source: ["::1%lo", 1, 0, 0], destination: ["::1", 2], version: 1 },
    "PROXY TCP6 ::1 ::1 1 2\r\n",
  ],
  ["Unix names", { source: "", destination: "/run/b.sock" }, version2(0x21, 0x31, unixNames("", "/run/b.sock"))],
  ["unknown addresses", {}, version2(0x21, 0, Buffer.alloc(0))],
  ["LOCAL", { command: "local" }, version2(0x20, 0, Buffer.alloc(0))],
  ["version 1", { ...ipv4, version: 1 }, "PROXY TCP4 192.0.2.1 198.51.100.7 1025 443\r\n"],
  ["mixed addresses in version 1", { version: 1, source: ["1.2.3.4", 1], destination: ["::", 2] }, "PROXY TCP6 ::ffff:1.2.3.4 :: 1 2\r\n"],
  ["Unix names in version 1", { version: 1, source: "", destination: "/b" }, "PROXY UNKNOWN\r\n"],
  ["LOCAL in version 1", { version: 1, command: "local" }, "PROXY UNKNOWN\r\n"],
  [
    "fields",
    { ...ipv4, alpn: "h\xff", authority: "ë", uniqueId: Buffer.from("id"), netns: "blue", tlvs: [{ type: 0xe0, value: Buffer.from("x") }] },
    withTlvs(tlv(0x01, Buffer.from("h\xff", "latin1")), tlv(0x02, "ë"), tlv(0x05, "id"), tlv(0x30, "blue"), tlv(0xe0, "x")),
  ],
  ["a checksum", { ...ipv4, authority: "a", crc32c: true }, withChecksum(tlv(0x02, "a"))],
  [
    "SSL",
    {
      ...ipv4,
      ssl: {
        secured: true,
        certOnConnection: true,
        certInSession: true,
        verify: 18,
        verified: false,
        cipher: "x",
        certificate: Buffer.of(1),
      },
    },
    withTlvs(tlv(0x20, Buffer.concat([Buffer.of(7, 0, 0, 0, 18), tlv(0x23, "x"), tlv(0x28, Buffer.of(1))]))),
  ],
];

const ssl = { secured: true, certOnConnection: false, certInSession: false, verify: 0 };

const wrong: readonly (readonly [option: unknown, message: RegExp])[] = [
  [true, /sendProxyHeader must be an options object/],
  [null, /sendProxyHeader must be an options object/],
  [{ sorce: ["1.2.3.4", 1] }, /has no option "sendProxyHeader.sorce": did you mean "sendProxyHeader.source"\?/],
  [[1], /has no option "sendProxyHeader.0"/],
  [{ version: 3 }, /sendProxyHeader.version must be 1 or 2/],
  [{ command: "LOCAL" }, /sendProxyHeader.command must be "proxy" or "local"/],
  [{ transport: "udp" }, /sendProxyHeader.transport must be "stream" or "datagram"/],
  [{ transport: "stream" }, /sendProxyHeader.transport is only meaningful with addresses/],
  [{ source: ["1.2.3.4", 1] }, /source and destination must be given together/],
  [{ destination: "/b" }, /source and destination must be given together/],
  [{ source: "/a", destination: ["1.2.3.4", 1] }, /source and destination must be of one family/],
  [{ source: ["localhost", 1], destination: ["::1", 1] }, /sendProxyHeader.source must have an IP address, not "localhost"/],
  [{ source: ["", 0], destination: ["::1", 1] }, /sendProxyHeader.source must have an IP address, not ""/],
  [{ source: ["::1", 65_536], destination: ["::1", 1] }, /sendProxyHeader.source\[1\] must be an integer from 0 to 65535/],
  [{ source: null, destination: null }, /sendProxyHeader.source must be an array of host and port, or a path, not null/],
  [{ source: "", destination: `/${"b".repeat(108)}` }, /sendProxyHeader.destination exceeds the 108 bytes .* it has 109/],
  [{ source: "", destination: "/b\0c" }, /sendProxyHeader.destination must not contain a NUL/],
  [{ command: "local", ...ipv4 }, /"local" allows no addresses and no fields/],
  [{ command: "local", authority: "a" }, /"local" allows no addresses and no fields/],
  [{ version: 1, authority: "a" }, /no fields besides the addresses in version 1/],
  [{ version: 1, crc32c: true }, /no fields besides the addresses in version 1/],
  [{ version: 1, ...ipv4, transport: "datagram" }, /transport must be "stream" in version 1/],
  [{ crc32c: 1 }, /sendProxyHeader.crc32c must be true or false/],
  [{ alpn: 1 }, /sendProxyHeader.alpn must be a string/],
  [{ alpn: "\u0100" }, /sendProxyHeader.alpn must consist of characters/],
  [{ authority: "a\0" }, /sendProxyHeader.authority must not contain a NUL/],
  [{ authority: "a".repeat(65_536) }, /sendProxyHeader.authority exceeds the 65535 bytes of a header: it has 65536/],
  [{ authority: "a".repeat(65_535) }, /sendProxyHeader exceeds the maximum of 65535 bytes: its addresses and fields have 65538/],
  [{ uniqueId: "id" }, /sendProxyHeader.uniqueId must be a Uint8Array/],
  [{ uniqueId: Buffer.alloc(129) }, /sendProxyHeader.uniqueId exceeds 128 bytes: it has 129/],
  [{ ssl: 1 }, /sendProxyHeader.ssl must be an options object/],
  [{ ssl: { ...ssl, secured: 1 } }, /sendProxyHeader.ssl.secured must be true or false/],
  [{ ssl: { ...ssl, verify: -1 } }, /sendProxyHeader.ssl.verify must be an integer/],
  [{ ssl: { ...ssl, verified: true } }, /sendProxyHeader.ssl.verified contradicts/],
  [{ ssl: { ...ssl, cipher: 1 } }, /sendProxyHeader.ssl.cipher must be a string/],
  [{ ssl: { ...ssl, certificate: "x" } }, /sendProxyHeader.ssl.certificate must be a Uint8Array/],
  [{ tlvs: {} }, /sendProxyHeader.tlvs must be an array/],
  [{ tlvs: [undefined] }, /sendProxyHeader.tlvs\[0\] must be \{ type, value \}/],
  [{ tlvs: [{ type: 256, value: Buffer.alloc(0) }] }, /sendProxyHeader.tlvs\[0\].type must be an integer from 0 to 255/],
  [{ tlvs: [{ type: 2, value: Buffer.alloc(0) }] }, /sendProxyHeader.tlvs\[0\].type must not be 2, which has a field of its own/],
  [{ tlvs: [{ type: 0xe0, value: "x" }] }, /sendProxyHeader.tlvs\[0\].value must be a Uint8Array/],
];

describe("sendProxyHeader", () => {
  for (const [what, option, bytes] of sent) {
    it(`is encoded as the protocol says: ${what}`, () => {
      assert.deepEqual(checkSendProxyHeader(option, "openConnection"), Buffer.from(bytes as string));
    });
  }

  for (const [option, message] of wrong) {
    it(`is checked before anything is opened: ${message.source}`, async () => {
      const protocol = (): BaseProtocol => new BaseProtocol();
      await assert.rejects(createConnection(protocol, "127.0.0.1", 1, { sendProxyHeader: option as object }), message);
      await assert.rejects(createUnixConnection(protocol, "/nowhere", { sendProxyHeader: option as object }), message);
    });
  }

  it("closes a sock that was handed over with a wrong header", async () => {
    for (const family of ["tcp", "unix"] as const) {
      const { far, socket } = await bareConnection(family);
      const create =
        family === "tcp"
          ? createConnection(() => new BaseProtocol(), null, null, { sock: socket, sendProxyHeader: { crc32c: 1 as never } })
          : createUnixConnection(() => new BaseProtocol(), null, { sock: socket, sendProxyHeader: { crc32c: 1 as never } });
      await assert.rejects(create, /crc32c/);
      assert.ok(socket.destroyed);
      await far[Symbol.asyncDispose]();
    }
  });
});

for (const kind of kinds) {
  describe(`sendProxyHeader over ${kind.name}`, () => {
    const told: { peername: SocketAddress | null; header: ProxyHeader | null }[] = [];
    const callback = async (...[reader, writer]: Parameters<typeof echo>): Promise<void> => {
      told.push({ peername: writer.getExtraInfo("peername"), header: writer.getExtraInfo("proxy_header") });
      await echo(reader, writer);
    };

    for (const secured of [false, true]) {
      it(`comes before everything else${secured ? ", the TLS handshake included" : ""}, and does not count as written`, async () => {
        told.length = 0;
        const { server, connect } = await kind.serve(callback, { proxyProtocol: true, ...(secured ? { ssl: identity("server") } : {}) });
        const tlsOptions = secured ? { ssl: trust, serverHostname: "localhost" } : {};
        for (const version of [1, 2] as const) {
          const [reader, writer] = await connect({ sendProxyHeader: { ...ipv4, version }, ...tlsOptions });
          writer.write("hello\n");
          assert.equal(String(await reader.readline()), "hello\n");
          assert.equal((writer.transport as unknown as { bytesWritten: number }).bytesWritten, 6);
          writer.close();
          await writer.waitClosed();
        }
        assert.deepEqual(
          told.map(({ peername }) => peername),
          [ipv4.source, ipv4.source],
        );
        assert.equal(server.getStats().bytesRead, 12);
        await server.shutdown();
      });
    }

    it("may be what another proxy has sent, and what a writer tells of its client", async () => {
      told.length = 0;
      const { server: back, connect: toBack } = await kind.serve(callback, { proxyProtocol: true });
      const { server: middle, connect } = await kind.serve(
        async (reader, writer) => {
          const [backReader, backWriter] = await toBack({ sendProxyHeader: writer.getExtraInfo("proxy_header")! });
          backWriter.write(await reader.readline());
          writer.write(await backReader.readline());
          backWriter.close();
          writer.close();
          await backWriter.waitClosed();
        },
        { proxyProtocol: true },
      );
      const [reader, writer] = await connect({ sendProxyHeader: { ...ipv4, authority: "a.example", crc32c: true } });
      writer.write("through both\n");
      assert.equal(String(await reader.readline()), "through both\n");
      writer.close();
      await writer.waitClosed();
      assert.deepEqual(told[0]?.peername, ipv4.source);
      assert.equal(told[0]?.header?.authority, "a.example");
      await middle.shutdown();
      await back.shutdown();
    });

    it("is sent on a sock that was handed over", async () => {
      const { far, socket } = await bareConnection(kind === tcp ? "tcp" : "unix");
      const options = { sock: socket, sendProxyHeader: { version: 1, ...ipv4 } } as const;
      const protocol = (): BaseProtocol => new BaseProtocol();
      const [transport] =
        kind === tcp ? await createConnection(protocol, null, null, options) : await createUnixConnection(protocol, null, options);
      transport.write("x");
      const accepted = await far.accepted();
      let text = "";
      accepted.on("data", (data: Buffer) => {
        text += String(data);
      });
      accepted.resume();
      await until(() => text.endsWith("x"));
      assert.equal(text, "PROXY TCP4 192.0.2.1 198.51.100.7 1025 443\r\nx");
      transport.abort();
      await far[Symbol.asyncDispose]();
    });
  });
}

describe("a peer that resets the connection while the header waits", () => {
  for (const version of [1, 2] as const) {
    it(`makes the call reject, and nothing else: version ${version}`, async () => {
      const { far, socket } = await bareConnection("tcp");
      await using _ = far;
      socket.write(Buffer.alloc(MUCH)); // more than the system takes: the header waits behind it
      const options = { sock: socket, sendProxyHeader: { version, ...ipv4 } };
      const connecting = createConnection(() => new BaseProtocol(), null, null, options);
      const accepted = await far.accepted();
      await turns(5);
      accepted.resetAndDestroy();
      await assert.rejects(connecting, (error: NodeJS.ErrnoException) => /^E(CONNRESET|PIPE|RR_SOCKET_CLOSED)$/.test(error.code ?? ""));
      assert.equal(socket.destroyed, true);
      await turns(5); // an 'error' event without a listener would end the process
    });
  }
});

describe("a signal while the header is sent", () => {
  it("that is aborted closes the socket, and the call rejects with its reason", async () => {
    const stuck = new Duplex({ read() {}, write() {} });
    const controller = new AbortController();
    const sending = sendHeader(stuck as net.Socket, Buffer.from("header"), controller.signal);
    controller.abort(new Error("on purpose"));
    await assert.rejects(sending, /on purpose/);
    assert.ok(stuck.destroyed);
  });

  it("is not watched any more once sending has failed", async () => {
    const failing = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(new Error("cannot send")) }).on("error", () => {});
    await assert.rejects(sendHeader(failing as net.Socket, Buffer.from("header"), undefined), /cannot send/);
    assert.ok(failing.destroyed);
  });

  it("that throws when it is watched closes the socket", async () => {
    const far = await bareServer(socketPath());
    const signal = new AbortController().signal;
    let watched = 0;
    const throwing = new Proxy(signal, {
      get(target, key) {
        if (key === "aborted") return false;
        if (key === "addEventListener") {
          return (...args: Parameters<AbortSignal["addEventListener"]>) => {
            watched += 1;
            if (watched > 1) throw new Error("not a second time");
            target.addEventListener(...args);
          };
        }
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const options = { signal: throwing, sendProxyHeader: ipv4 };
    await assert.rejects(
      createUnixConnection(() => new BaseProtocol(), far.path, options),
      /not a second time/,
    );
    const accepted = await far.accepted();
    await new Promise((resolve) =>
      accepted
        .once("close", resolve)
        .resume()
        .on("end", () => accepted.destroy()),
    );
    await far[Symbol.asyncDispose]();
  });
});
