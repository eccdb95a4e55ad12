/** What a server asks of the client's certificate. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ClientConnectedCallback } from "asyncio-streams";
import { type CertificateName, identity, trust } from "../support/certificates.js";
import { kinds } from "../support/pairs.js";
import { listen } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;

/** Tells the client who it is, then ends. */
const tellName: ClientConnectedCallback = (_reader, writer) => {
  const shown = writer.getExtraInfo("peercert")?.subject.CN ?? "nobody";
  writer.write(`${shown}, ${writer.getExtraInfo("ssl_object")?.authorized ? "" : "not "}authorized\n`);
  writer.close();
};

function clientSsl(shown: CertificateName | null, version: (typeof VERSIONS)[number]): object {
  return { ...trust, ...(shown === null ? {} : identity(shown)), minVersion: version, maxVersion: version };
}

for (const kind of kinds) {
  for (const version of VERSIONS) {
    describe(`a client's certificate over ${kind.name}, ${version}`, () => {
      const required = { ...identity("server"), ...trust, requestCert: true };
      const optional = { ...required, rejectUnauthorized: false };

      it("is accepted if its authority is known", async () => {
        await using ours = await listen(kind, { ssl: required }, tellName);
        const [reader, writer] = await ours.connect({ ssl: clientSsl("client", version) });
        assert.equal((await reader.read()).toString(), "asyncio-streams test: client, authorized\n");
        await writer.waitClosed();
        assert.deepEqual(ours.errors, []);
      });

      for (const shown of ["client-of-other-ca", "self-signed", null] as const) {
        it(`is refused if it is required: ${shown ?? "none"}`, async () => {
          await using ours = await listen(kind, { ssl: required }, tellName);
          // In TLS 1.3 a client is done before the server has seen its certificate: it hears of the refusal when it reads.
          const told = ours.connect({ ssl: clientSsl(shown, version) }).then(async ([reader, writer]) => {
            const received = await reader.read();
            writer.close();
            return received;
          });
          assert.equal((await told.catch(() => "")).length, 0);
          await until(() => ours.errors.length > 0);
          const [{ error, writer }] = ours.errors as [(typeof ours.errors)[number]];
          assert.equal(writer, null);
          assert.ok(typeof error.code === "string" && error.code.length > 3, String(error.code));
          assert.deepEqual([ours.errors.length, ours.served.length], [1, 0]);
        });
      }

      for (const [shown, told] of [
        ["client", "asyncio-streams test: client, authorized\n"],
        ["client-of-other-ca", "asyncio-streams test: client-of-other-ca, not authorized\n"],
        [null, "nobody, not authorized\n"],
      ] as const) {
        it(`is for the callback to judge if it is optional: ${shown ?? "none"}`, async () => {
          await using ours = await listen(kind, { ssl: optional }, tellName);
          const [reader, writer] = await ours.connect({ ssl: clientSsl(shown, version) });
          assert.equal((await reader.read()).toString(), told);
          await writer.waitClosed();
          assert.deepEqual(ours.errors, []);
        });
      }

      it("is not asked for otherwise", async () => {
        await using ours = await listen(kind, {}, tellName);
        const [reader] = await ours.connect({ ssl: clientSsl("client", version) });
        assert.match((await reader.read()).toString(), /^nobody/);
      });
    });
  }

  describe(`a client's certificate over ${kind.name}, by startTls()`, () => {
    it("is refused and reported if it is required and missing", async () => {
      let told: Promise<void> | undefined;
      const { server, connect } = await kind.serve((_reader, writer) => {
        told = writer.startTls({ ...identity("server"), ...trust, requestCert: true });
        told.catch(() => {});
      });
      const [reader, writer] = await connect();
      const received = writer.startTls(trust, { serverHostname: "localhost" }).then(() => reader.read());
      assert.equal((await received.catch(() => "")).length, 0);
      writer.transport.abort();
      await assert.rejects(told as Promise<void>);
      server.close();
      await server.waitClosed();
    });
  });
}
