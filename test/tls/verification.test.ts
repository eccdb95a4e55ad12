/** What a client asks of the server's certificate. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import tls from "node:tls";
import { type OpenConnectionOptions, openConnection } from "asyncio-streams";
import { type CertificateName, certificate, identity, trust } from "../support/certificates.js";
import { kinds, tcp } from "../support/pairs.js";
import { runtime } from "../support/runtime.js";
import { checkEcho, listen } from "../support/tls-kinds.js";

type Row = readonly [what: string, shown: CertificateName, options: OpenConnectionOptions];

/** Whoever signed what Node calls unable to verify. */
const UNKNOWN_CA =
  /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN)$/;
/** Deno: refuses it, and names the reason like that of an unknown authority. */
const EXPIRED = runtime === "deno" ? UNKNOWN_CA : /^CERT_HAS_EXPIRED$/;
const WRONG_NAME = /^ERR_TLS_CERT_ALTNAME_INVALID$/;

const refused: readonly (readonly [...Row, code: RegExp])[] = [
  ["another authority's", "server", { ssl: { ca: certificate("other-ca") } }, UNKNOWN_CA],
  ["one that is not in the platform's trust store", "server", { ssl: true }, UNKNOWN_CA],
  ["one that is not in the trust store of a SecureContext", "server", { ssl: tls.createSecureContext() }, UNKNOWN_CA],
  ["one that nobody signed", "self-signed", {}, UNKNOWN_CA],
  ["an expired one", "expired", {}, EXPIRED],
  ["another host's", "wrong-host", {}, WRONG_NAME],
  ["another address's", "server", { serverHostname: "127.0.0.2" }, WRONG_NAME],
  ["another address's, with a zone", "international", { serverHostname: "fe80::2%eth0" }, WRONG_NAME],
  ["another international name's", "international", { serverHostname: "bächer.test" }, WRONG_NAME],
  ["a name's without its dots above", "international", { serverHostname: "bucher.test" }, WRONG_NAME],
  ["one for an address when a name is expected", "server", { serverHostname: "elsewhere.example" }, WRONG_NAME],
  ["another host's, with a SecureContext", "wrong-host", { ssl: tls.createSecureContext(trust) }, WRONG_NAME],
  ["an expired one, whoever's it is", "expired", { serverHostname: "" }, EXPIRED],
  ["another authority's, whoever's it is", "server", { ssl: { ca: certificate("other-ca") }, serverHostname: "" }, UNKNOWN_CA],
  ["one that nobody signed, whoever's it is", "self-signed", { serverHostname: "" }, UNKNOWN_CA],
  ["one that is not in the platform's trust store, whoever's it is", "server", { ssl: true, serverHostname: "" }, UNKNOWN_CA],
];

const accepted: readonly Row[] = [
  ["the host's", "server", {}],
  ["the host's, RSA", "server-rsa", {}],
  ["an IPv4 address's", "server", { serverHostname: "127.0.0.1" }],
  ["an IPv6 address's", "server", { serverHostname: "::1" }],
  ["an address's with a zone", "international", { serverHostname: "fe80::1%eth0" }],
  ["an international name's", "international", { serverHostname: "bücher.test" }],
  ["an international name's in capitals", "international", { serverHostname: "BÜCHER.test" }],
  ["an international name's in ASCII", "international", { serverHostname: "xn--bcher-kva.test" }],
  ["another host's, if anybody's will do", "wrong-host", { serverHostname: "" }],
  [
    "another host's, if the options check the name in their own way",
    "wrong-host",
    { ssl: { ...trust, checkServerIdentity: () => undefined } },
  ],
  [
    "any, if the options switch verification off",
    "self-signed",
    { ssl: { rejectUnauthorized: false }, serverHostname: "elsewhere.example" },
  ],
  ["the host's, with a SecureContext", "server", { ssl: tls.createSecureContext(trust) }],
  ["another host's, with a SecureContext, if anybody's will do", "wrong-host", { ssl: tls.createSecureContext(trust), serverHostname: "" }],
];

for (const kind of kinds) {
  describe(`the server's certificate over ${kind.name}`, () => {
    for (const [what, shown, options, code] of refused) {
      it(`is refused: ${what}`, async () => {
        await using ours = await listen(kind, { ssl: identity(shown) });
        await assert.rejects(ours.connect(options), (error: Error & { code?: string }) => {
          assert.match(String(error.code), code);
          return true;
        });
      });

      it(`is refused by startTls(): ${what}`, async () => {
        const { server, connect } = await kind.serve((_reader, writer) => writer.startTls(identity(shown)), { onClientError: () => {} });
        const [reader, writer] = await connect();
        const { ssl = trust, serverHostname = "localhost" } = options;
        await assert.rejects(writer.startTls(ssl, { serverHostname }), (error: Error & { code?: string }) => {
          assert.match(String(error.code), code);
          return true;
        });
        assert.equal(writer.isClosing(), true);
        await assert.rejects(writer.waitClosed(), (error: { code?: string }) => code.test(String(error.code)));
        await assert.rejects(reader.read(), (error: { code?: string }) => code.test(String(error.code)));
        server.close();
        server.abortClients();
        await server.waitClosed();
      });
    }

    for (const [what, shown, options] of accepted) {
      it(`is accepted: ${what}`, async () => {
        await using ours = await listen(kind, { ssl: identity(shown) });
        await checkEcho(await ours.connect(options));
        assert.deepEqual(ours.errors, []);
      });
    }

    it("is given to the options' own check, with the expected name", async () => {
      await using ours = await listen(kind);
      const checked: unknown[] = [];
      const checkServerIdentity = (name: string, shown: tls.PeerCertificate): Error => {
        checked.push(name, shown.subject.CN);
        return new Error("not today");
      };
      await assert.rejects(ours.connect({ ssl: { ...trust, checkServerIdentity } }), { message: "not today" });
      assert.deepEqual(checked, ["localhost", "asyncio-streams test: server"]);
    });

    it("is given to the options' own check even if any name is accepted", async () => {
      await using ours = await listen(kind);
      const checked: unknown[] = [];
      const checkServerIdentity = (name: string): Error => {
        checked.push(name);
        return new Error("not the pinned certificate");
      };
      const ssl = { ...trust, checkServerIdentity };
      await assert.rejects(ours.connect({ ssl, serverHostname: "" }), { message: "not the pinned certificate" });
      assert.deepEqual(checked, [""]);
    });
  });
}

describe("openConnection() with ssl and no serverHostname", () => {
  it("expects the certificate of the host", async () => {
    await using ours = await listen(tcp);
    const port = ours.address[1] as number;
    await checkEcho(await openConnection("127.0.0.1", port, { ssl: trust }));
    await checkEcho(await openConnection("localhost", port, { ssl: trust, family: 4 }));
  });

  it("refuses that of another", async () => {
    await using ours = await listen(tcp, { ssl: identity("wrong-host") });
    await assert.rejects(openConnection("127.0.0.1", ours.address[1] as number, { ssl: trust }), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  it("is what startTls() does, too", async () => {
    const { server } = await tcp.serve(async (reader, writer) => {
      await writer.startTls(identity("wrong-host")).catch(() => {});
      await reader.read().catch(() => {});
    });
    const port = server.sockets[0]!.getsockname()[1] as number;
    const [, writer] = await openConnection("127.0.0.1", port);
    await assert.rejects(writer.startTls(trust), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    server.close();
    server.abortClients();
    await server.waitClosed();
  });
});
