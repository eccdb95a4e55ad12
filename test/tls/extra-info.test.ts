/** What `getExtraInfo()` tells of TLS, compared with what Python's `ssl` tells of the same connection. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import tls from "node:tls";
import { identity, trust } from "../support/certificates.js";
import { needs } from "../support/needs.js";
import { kinds, openPair, unix } from "../support/pairs.js";
import { findPython } from "../support/python.js";
import { runtime } from "../support/runtime.js";
import { checkEcho, listen, overTls } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

const TLS_KEYS = ["sslcontext", "ssl_object", "peercert", "cipher", "compression", "alpn_protocol"] as const;
const python = findPython();

for (const kind of kinds) {
  describe(`getExtraInfo() over ${kind.name}`, () => {
    it("has no extra info of TLS without TLS", async () => {
      await using pair = await openPair(kind);
      for (const { writer } of [pair.client, pair.peer]) {
        for (const key of TLS_KEYS) assert.equal(writer.getExtraInfo(key), null, key);
        assert.equal(writer.getExtraInfo("cipher", "none"), "none");
      }
    });

    it("has extra info of TLS on both sides", async () => {
      const serverSsl = { ...identity("server"), ...trust, requestCert: true };
      const clientSsl = { ...trust, ...identity("client") };
      await using ours = await listen(kind, { ssl: serverSsl });
      const client = await ours.connect({ ssl: clientSsl });
      await until(() => ours.served.length > 0);
      const writer = client[1];
      const peer = ours.served[0]!.writer;
      assert.equal(writer.getExtraInfo("sslcontext"), clientSsl);
      assert.equal(peer.getExtraInfo("sslcontext"), serverSsl);
      for (const one of [writer, peer]) {
        assert.ok(one.getExtraInfo("ssl_object") instanceof tls.TLSSocket);
        assert.equal(one.getExtraInfo("compression"), null);
        assert.equal(one.getExtraInfo("alpn_protocol"), null);
      }
      assert.equal(writer.getExtraInfo("peercert")?.subject.CN, "asyncio-streams test: server");
      assert.equal(peer.getExtraInfo("peercert")?.subject.CN, "asyncio-streams test: client");
      assert.deepEqual(writer.getExtraInfo("cipher"), peer.getExtraInfo("cipher"));
      await checkEcho(client);
    });

    it("has no peercert on a server that asked for no certificate", async () => {
      await using ours = await listen(kind);
      const client = await ours.connect();
      await until(() => ours.served.length > 0);
      assert.equal(ours.served[0]?.writer.getExtraInfo("peercert"), null);
      await checkEcho(client);
    });

    it("is known when the callback is called", async () => {
      let told: unknown[] = [];
      await using ours = await listen(kind, {}, (_reader, writer) => {
        told = [writer.getExtraInfo("cipher")?.length, typeof writer.getExtraInfo("peername"), writer.canWriteEof()];
        writer.close();
      });
      const [reader, writer] = await ours.connect();
      await reader.read();
      await writer.waitClosed();
      assert.deepEqual(told, [3, kind === unix ? "string" : "object", false]);
    });

    it("keeps the addresses and adds TLS after startTls()", async () => {
      await using plain = await openPair(kind);
      const { writer } = plain.client;
      const before = ["peername", "sockname", "socket"].map((name) => writer.getExtraInfo(name));
      await Promise.all([writer.startTls(trust, { serverHostname: "localhost" }), plain.peer.writer.startTls(identity("server"))]);
      assert.deepEqual(
        ["peername", "sockname", "socket"].map((name) => writer.getExtraInfo(name)),
        before,
      );
      assert.equal(writer.getExtraInfo("sslcontext"), trust);
      assert.equal(writer.getExtraInfo("cipher")?.length, 3);
    });

    it("is known after the end", async () => {
      await using pair = await openPair(overTls(kind, { begin: "ssl", version: "TLSv1.3" }));
      const { writer } = pair.client;
      const before = TLS_KEYS.map((name) => writer.getExtraInfo(name));
      writer.close();
      await writer.waitClosed();
      assert.deepEqual(
        TLS_KEYS.map((name) => writer.getExtraInfo(name)),
        before,
      );
    });
  });
}

/** Python's tuples, and the certificate that each needs. */
const SUITES = [
  { tuple: ["TLS_AES_256_GCM_SHA384", "TLSv1.3", 256], shown: "server" },
  { tuple: ["TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3", 256], shown: "server" },
  { tuple: ["TLS_AES_128_GCM_SHA256", "TLSv1.3", 128], shown: "server" },
  { tuple: ["ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2", 128], shown: "server" },
  { tuple: ["ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2", 256], shown: "server" },
  { tuple: ["ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.2", 256], shown: "server" },
  { tuple: ["ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2", 128], shown: "server-rsa" },
  { tuple: ["ECDHE-RSA-AES256-GCM-SHA384", "TLSv1.2", 256], shown: "server-rsa" },
  { tuple: ["ECDHE-RSA-AES256-SHA384", "TLSv1.2", 256], shown: "server-rsa" },
  { tuple: ["ECDHE-ECDSA-AES128-SHA", "TLSv1.0", 128], shown: "server" },
  { tuple: ["AES256-GCM-SHA384", "TLSv1.2", 256], shown: "server-rsa" },
  { tuple: ["AES128-SHA", "SSLv3", 128], shown: "server-rsa" },
] as const;

describe("the cipher", () => {
  for (const { tuple, shown } of SUITES.filter(({ tuple: [known] }) => tls.getCiphers().includes(known.toLowerCase()))) {
    const [name, version] = tuple;

    it(`is Python's tuple when ${name} is asked for`, async () => {
      const ssl = { ciphers: name, maxVersion: version === "TLSv1.3" ? version : "TLSv1.2" } as const;
      await using ours = await listen(unix, { ssl: { ...ssl, ...identity(shown) } });
      const client = await ours.connect({ ssl: { ...ssl, ...trust } });
      const cipher = client[1].getExtraInfo("cipher");
      // Bun picks the suite of TLS 1.3 by itself, and Deno every suite.
      const chosen = runtime === "node" ? name : cipher?.[0];
      assert.deepEqual(cipher, SUITES.find((suite) => suite.tuple[0] === chosen)?.tuple);
      await checkEcho(client);
    });
  }

  it("has Python's numbers in this test", needs(python), () => {
    const script = `
import json, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.set_ciphers("ALL:@SECLEVEL=0")
print(json.dumps([[one["name"], one["protocol"], one["strength_bits"]] for one in context.get_ciphers()]))`;
    const { stdout } = spawnSync(python.binary, ["-c", script], { encoding: "utf8" });
    const told = new Map((JSON.parse(stdout) as [string, string, number][]).map((tuple) => [tuple[0], tuple]));
    for (const { tuple } of SUITES) assert.deepEqual(told.get(tuple[0]), [...tuple]);
  });
});
