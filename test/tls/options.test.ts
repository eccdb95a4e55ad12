/** What Node's options and contexts can tell TLS beside the certificates. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import tls from "node:tls";
import { dial } from "../support/addresses.js";
import { identity, trust } from "../support/certificates.js";
import { kinds } from "../support/pairs.js";
import { cannot } from "../support/runtime.js";
import { checkEcho, listen } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

for (const kind of kinds) {
  describe(`tls.TlsOptions and tls.ConnectionOptions over ${kind.name}`, () => {
    it("SNICallback picks the certificate by the name that the client expects", async () => {
      const asked: string[] = [];
      const ssl: tls.TlsOptions = {
        ...identity("server"),
        SNICallback(name, done) {
          asked.push(name);
          done(null, name === "sni.example" ? tls.createSecureContext(identity("sni")) : undefined);
        },
      };
      await using ours = await listen(kind, { ssl });
      const [reader, writer] = await ours.connect({ serverHostname: "sni.example" });
      assert.equal(writer.getExtraInfo("peercert")?.subject.CN, "asyncio-streams test: sni");
      await checkEcho([reader, writer]);
      await checkEcho(await ours.connect({ serverHostname: "localhost" }));
      assert.deepEqual(asked, ["sni.example", "localhost"]);
    });

    it("no name is sent for an address, nor if any certificate is accepted", async () => {
      await using ours = await listen(kind);
      for (const serverHostname of ["127.0.0.1", "::1", ""]) {
        await checkEcho(await ours.connect({ serverHostname }));
      }
      await checkEcho(await ours.connect({ serverHostname: "localhost" }));
      const names = ours.served.map(
        ({ writer }) => (writer.getExtraInfo("ssl_object") as tls.TLSSocket & { servername?: unknown }).servername,
      );
      assert.deepEqual(
        names.map((name) => name || null),
        [null, null, null, "localhost"],
      );
    });

    it("the name that is sent has no dot behind it", async () => {
      await using ours = await listen(kind);
      await checkEcho(await ours.connect({ serverHostname: "localhost." }));
      assert.equal((ours.served[0]?.writer.getExtraInfo("ssl_object") as tls.TLSSocket & { servername?: unknown }).servername, "localhost");
    });

    it("ALPN agrees on a protocol", async () => {
      await using ours = await listen(kind, { ssl: { ...identity("server"), ALPNProtocols: ["ours/2", "ours/1"] } });
      const [reader, writer] = await ours.connect({ ssl: { ...trust, ALPNProtocols: ["ours/1", "theirs/1"] } });
      await until(() => ours.served.length > 0);
      assert.equal(writer.getExtraInfo("alpn_protocol"), "ours/1");
      assert.equal(ours.served[0]?.writer.getExtraInfo("alpn_protocol"), "ours/1");
      await checkEcho([reader, writer]);
    });

    it("ALPN without a common protocol fails the handshake on both sides", async () => {
      await using ours = await listen(kind, { ssl: { ...identity("server"), ALPNProtocols: ["ours/1"] } });
      await assert.rejects(ours.connect({ ssl: { ...trust, ALPNProtocols: ["theirs/1"] } }));
      await until(() => ours.errors.length > 0);
      assert.deepEqual([ours.errors.length, ours.served.length], [1, 0]);
    });

    it("versions without a common one fail the handshake on both sides", async () => {
      await using ours = await listen(kind, { ssl: { ...identity("server"), minVersion: "TLSv1.3" } });
      await assert.rejects(ours.connect({ ssl: { ...trust, maxVersion: "TLSv1.2" } }));
      await until(() => ours.errors.length > 0);
      assert.deepEqual([ours.errors.length, ours.served.length], [1, 0]);
    });

    it("a session can be resumed", cannot("session-resumption", "deno"), async () => {
      await using ours = await listen(kind, { ssl: { ...identity("server"), maxVersion: "TLSv1.2" } });
      const [reader, writer] = await ours.connect();
      const session = writer.getExtraInfo("ssl_object")?.getSession();
      await checkEcho([reader, writer]);
      const [again, writerAgain] = await ours.connect({ ssl: { ...trust, session } });
      assert.equal(writerAgain.getExtraInfo("ssl_object")?.isSessionReused(), true);
      await checkEcho([again, writerAgain]);
    });

    it("a session can be resumed by several at once", cannot("session-resumption-at-once", "bun", "deno"), async () => {
      await using ours = await listen(kind, { ssl: { ...identity("server"), maxVersion: "TLSv1.2" } });
      const [reader, writer] = await ours.connect();
      const session = writer.getExtraInfo("ssl_object")?.getSession();
      await checkEcho([reader, writer]);
      for (const [again, writerAgain] of await Promise.all(Array.from({ length: 4 }, () => ours.connect({ ssl: { ...trust, session } })))) {
        assert.equal(writerAgain.getExtraInfo("ssl_object")?.isSessionReused(), true);
        await checkEcho([again, writerAgain]);
      }
    });
  });

  describe(`a SecureContext over ${kind.name}`, () => {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const versions = { minVersion: version, maxVersion: version };

      it(`serves and connects, ${version}`, async () => {
        await using ours = await listen(kind, { ssl: tls.createSecureContext({ ...identity("server"), ...versions }) });
        const ssl = tls.createSecureContext(trust);
        const [reader, writer] = await ours.connect({ ssl });
        assert.equal(writer.getExtraInfo("ssl_object")?.getProtocol(), version);
        assert.equal(writer.getExtraInfo("sslcontext"), ssl);
        await checkEcho([reader, writer]);
        await checkEcho(await ours.connect({ ssl }));
        assert.deepEqual(ours.errors, []);
      });

      it(`works for startTls(), too, ${version}`, async () => {
        const { server, connect } = await kind.serve(async (reader, writer) => {
          await writer.startTls(tls.createSecureContext({ ...identity("server"), ...versions }));
          writer.write(await reader.readline());
          await reader.read();
          writer.close();
        });
        const [reader, writer] = await connect();
        await writer.startTls(tls.createSecureContext(trust), { serverHostname: "localhost" });
        await checkEcho([reader, writer]);
        server.close();
        await server.waitClosed();
      });
    }

    it("refuses and reports a client that does not speak TLS", async () => {
      await using ours = await listen(kind, { ssl: tls.createSecureContext(identity("server")) });
      const client = net.connect(dial(ours.address)).on("error", () => {});
      client.end("GET / HTTP/1.1\r\n\r\n");
      await until(() => ours.errors.length > 0);
      client.destroy();
      assert.deepEqual([ours.errors.length, ours.errors[0]?.writer, ours.served.length], [1, null, 0]);
    });
  });
}
