/** Certificates that are replaced while a server runs, under load: each client is served, with the old certificate or the new one. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import tls from "node:tls";
import { InvalidStateError, type OpenConnectionOptions, type SSLServer, type StreamReader, type StreamWriter } from "asyncio-streams";
import { identity, trust } from "../support/certificates.js";
import { echo } from "../support/echo.js";
import { type Kind, kinds, tcp } from "../support/pairs.js";
import { checkEcho, listen } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

const CLIENTS = 4;
/** Clients that are served between two events of the test. */
const SOME = 6;

const OLD = "asyncio-streams test: server";
const NEW = "asyncio-streams test: server-rsa";

/** A name that is sent, or an address, with which none is. */
const hosts = { "with SNI": "localhost", "without SNI": "127.0.0.1" } as const;

type Connect = (options: OpenConnectionOptions) => Promise<[StreamReader, StreamWriter]>;

/** Connects again and again, and notes the certificate that each client was shown. */
class Load {
  readonly shown: string[] = [];
  readonly #clients: readonly Promise<void>[];
  #over = false;

  constructor(connect: Connect, serverHostname: string) {
    this.#clients = Array.from({ length: CLIENTS }, () => this.#run(connect, serverHostname));
  }

  async #run(connect: Connect, serverHostname: string): Promise<void> {
    while (!this.#over) {
      const streams = await connect({ ssl: trust, serverHostname });
      this.shown.push(String(streams[1].getExtraInfo("peercert")?.subject.CN));
      await checkEcho(streams);
    }
  }

  /** Waits for more clients; fails with the first that is not served. */
  async more(count: number): Promise<void> {
    const enough = this.shown.length + count;
    await Promise.race([until(() => this.shown.length >= enough), ...this.#clients]);
  }

  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#clients);
  }
}

/** Puts load on a server, renews its certificate in the middle, and checks what the clients were shown. */
async function checkRenewal(connect: Connect, serverHostname: string, renew: () => void): Promise<void> {
  const load = new Load(connect, serverHostname);
  await load.more(SOME);
  renew();
  const before = load.shown.length;
  await load.more(SOME + CLIENTS);
  await load.end();
  assert.ok(load.shown.slice(0, before).every((name) => name === OLD));
  // Those whose handshake had begun may still be shown the old one.
  assert.ok(
    load.shown.slice(before + CLIENTS).every((name) => name === NEW),
    load.shown.join(),
  );
}

/** A server whose callback secures each connection with the same options object. */
async function serveStartTls(kind: Kind, ssl: SSLServer): ReturnType<Kind["serve"]> {
  const { server, connect } = await kind.serve(async (reader, writer) => {
    await writer.startTls(ssl);
    return echo(reader, writer);
  });
  return {
    server,
    async connect({ ssl: clientSsl, serverHostname } = {}) {
      const streams = await connect();
      await streams[1].startTls(clientSsl as tls.ConnectionOptions, { serverHostname });
      return streams;
    },
  };
}

for (const kind of kinds) {
  describe(`setSecureContext() over ${kind.name}`, () => {
    for (const [what, serverHostname] of Object.entries(hosts)) {
      for (const [form, renewed] of [
        ["options", identity("server-rsa")],
        ["a SecureContext", tls.createSecureContext(identity("server-rsa"))],
      ] as const) {
        it(`renews the certificate with ${form} under load, ${what}`, async () => {
          await using ours = await listen(kind);
          await checkRenewal(ours.connect, serverHostname, () => ours.server.setSecureContext(renewed));
          assert.deepEqual(ours.errors, []);
        });
      }

      it(`replaces SNICallback, ${what}`, async () => {
        const answer = (name: "server" | "server-rsa"): tls.TlsOptions => {
          const context = tls.createSecureContext(identity(name));
          return { ...identity(name), SNICallback: (_name, done) => done(null, context) };
        };
        await using ours = await listen(kind, { ssl: answer("server") });
        await checkRenewal(ours.connect, serverHostname, () => ours.server.setSecureContext(answer("server-rsa")));
        assert.deepEqual(ours.errors, []);
      });
    }

    it("leaves connections alone", async () => {
      await using ours = await listen(kind);
      const streams = await ours.connect();
      ours.server.setSecureContext(identity("server-rsa"));
      assert.equal(streams[1].getExtraInfo("peercert")?.subject.CN, OLD);
      await checkEcho(streams);
    });

    it("is for the client that waits for its turn", async () => {
      await using ours = await listen(kind, { maxConnections: 1 });
      const [reader, writer] = await ours.connect();
      const waiting = ours.connect();
      await until(() => ours.server.getStats().waiting === 1);
      const renewed = identity("server-rsa");
      ours.server.setSecureContext(renewed);
      await checkEcho([reader, writer]);
      const streams = await waiting;
      assert.equal(streams[1].getExtraInfo("peercert")?.subject.CN, NEW);
      await until(() => ours.served.length === 2);
      assert.ok(ours.served[1]?.writer.getExtraInfo("sslcontext") === renewed);
      await checkEcho(streams);
    });

    it("keeps requestCert and ALPN, unless they are given", async () => {
      const strict = { ...identity("server"), ...trust, requestCert: true, ALPNProtocols: ["ours/1"] };
      const clientSsl = { ...trust, ...identity("client"), ALPNProtocols: ["ours/2", "ours/1"] };
      await using ours = await listen(kind, { ssl: strict });
      const check = async (ssl: SSLServer, alpn: string | null): Promise<void> => {
        ours.server.setSecureContext(ssl);
        const [reader, writer] = await ours.connect({ ssl: clientSsl });
        assert.equal(writer.getExtraInfo("alpn_protocol"), alpn);
        await checkEcho([reader, writer]);
      };
      await check({ ...identity("server-rsa"), ...trust }, "ours/1");
      await check(tls.createSecureContext({ ...identity("server-rsa"), ...trust }), "ours/1");
      await check({ ...identity("server"), ...trust, ALPNCallback: () => "ours/2" } as tls.TlsOptions, "ours/2");
      await check({ ...identity("server-rsa"), ...trust }, "ours/2");
      const refused = ours.connect({ ssl: trust }).then(([reader]) => reader.read());
      assert.equal((await refused.catch(() => "")).length, 0);
      await until(() => ours.errors.length > 0);
      ours.server.setSecureContext({ ...identity("server"), requestCert: false });
      await checkEcho(await ours.connect());
    });
  });

  describe(`startTls() with one options object over ${kind.name}`, () => {
    for (const [what, serverHostname] of Object.entries(hosts)) {
      it(`takes the certificate that is assigned to it under load, ${what}`, async () => {
        const ssl: tls.TlsOptions = { ...identity("server") };
        const { server, connect } = await serveStartTls(kind, ssl);
        await checkRenewal(connect, serverHostname, () => Object.assign(ssl, identity("server-rsa")));
        server.close();
        await server.waitClosed();
      });
    }
  });
}

describe("setSecureContext()", () => {
  it("refuses what is no certificate, and keeps the old one", async () => {
    await using ours = await listen(tcp);
    for (const [ssl, code] of [
      [{}, "ERR_INVALID_ARG_VALUE"],
      [true, "ERR_INVALID_ARG_TYPE"],
      [undefined, "ERR_INVALID_ARG_TYPE"],
      [{ secureContext: {} }, "ERR_INVALID_ARG_TYPE"],
    ] as const) {
      assert.throws(() => ours.server.setSecureContext(ssl as SSLServer), { name: "TypeError", code });
    }
    const { cert, key } = identity("server");
    for (const ssl of [
      { cert: "garbage", key },
      { cert, key: "garbage" },
      { cert, key: identity("client").key },
      { cert, key: identity("server-rsa").key },
    ]) {
      assert.throws(() => ours.server.setSecureContext(ssl));
    }
    await checkEcho(await ours.connect());
  });

  it("is refused for a server without ssl", async () => {
    const { server } = await tcp.serve(() => {});
    assert.throws(() => server.setSecureContext(identity("server")), InvalidStateError);
    server.close();
    await server.waitClosed();
  });
});
