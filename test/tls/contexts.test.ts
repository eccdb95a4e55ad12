/** One context for one options object, and what a server's options have to contain. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import tls from "node:tls";
import { type SSLClient, type SSLServer, type StartServerOptions, startServer } from "asyncio-streams";
import { identity, trust } from "../support/certificates.js";
import { type Kind, kinds, openPair, tcp } from "../support/pairs.js";
import { cannot } from "../support/runtime.js";
import { checkEcho, HOST, listen } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

const VALUE = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message: /needs a certificate/ };
const TYPE = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };

/** Counts the contexts that are created while `body` runs. */
async function contextsOf(body: () => Promise<void>): Promise<number> {
  const { createSecureContext } = tls;
  let count = 0;
  tls.createSecureContext = (options) => {
    count += 1;
    return createSecureContext(options);
  };
  try {
    await body();
  } finally {
    tls.createSecureContext = createSecureContext;
  }
  return count;
}

/** Secures a connection by `startTls()` on both ends, and returns the name in the server's certificate. */
async function upgrade(kind: Kind, serverSsl: SSLServer, clientSsl: SSLClient): Promise<string | undefined> {
  await using pair = await openPair(kind);
  await Promise.all([pair.peer.writer.startTls(serverSsl), pair.client.writer.startTls(clientSsl, { serverHostname: "" })]);
  return String(pair.client.writer.getExtraInfo("peercert")?.subject.CN);
}

for (const kind of kinds) {
  describe(`the context of an options object over ${kind.name}`, () => {
    it("is created once for both ends, whatever the entry", async () => {
      const serverSsl = { ...identity("server") };
      const clientSsl = { ...trust };
      const count = await contextsOf(async () => {
        for (let round = 0; round < 3; round += 1) {
          await upgrade(kind, serverSsl, clientSsl);
          await using ours = await listen(kind, { ssl: serverSsl });
          await checkEcho(await ours.connect({ ssl: clientSsl }));
        }
      });
      assert.equal(count, 2);
    });

    it("is created anew if a certificate is assigned to the object", async () => {
      const serverSsl: tls.TlsOptions = { ...identity("server") };
      assert.equal(await upgrade(kind, serverSsl, trust), "asyncio-streams test: server");
      Object.assign(serverSsl, identity("sni"));
      assert.equal(await upgrade(kind, serverSsl, trust), "asyncio-streams test: sni");
    });

    it("is kept if the same is read again, and created anew if an array has changed", async () => {
      const ca = [trust.ca];
      const clientSsl = {
        ca,
        get crl(): Buffer[] {
          return [];
        },
      };
      const { cert, key } = identity("server");
      const serverSsl = { cert: Buffer.from(cert), key: [key] };
      const count = await contextsOf(async () => {
        for (let round = 0; round < 2; round += 1) {
          await upgrade(kind, serverSsl, clientSsl);
          serverSsl.cert = Buffer.from(cert);
        }
        ca.push(identity("self-signed").cert);
        await upgrade(kind, serverSsl, clientSsl);
      });
      assert.equal(count, 3);
    });

    it("is created once for inherited options, too, and anew if one of them has changed", async () => {
      class Trust {
        #ca = trust.ca;
        get ca(): string {
          return this.#ca;
        }
        add(ca: string): void {
          this.#ca += ca;
        }
      }
      const clientSsl = new Trust();
      const serverSsl = Object.create({ ...identity("server") }) as tls.TlsOptions;
      const count = await contextsOf(async () => {
        for (let round = 0; round < 3; round += 1) await upgrade(kind, serverSsl, clientSsl);
        clientSsl.add(identity("self-signed").cert);
        await upgrade(kind, serverSsl, clientSsl);
      });
      assert.equal(count, 3);
    });
  });

  describe(`options of a server that are not simply its own, over ${kind.name}`, () => {
    class Settings {
      get cert(): string {
        return identity("server").cert;
      }
      get key(): string {
        return identity("server").key;
      }
      get ca(): string {
        return trust.ca;
      }
      get requestCert(): boolean {
        return true;
      }
    }
    const defaults = { ...trust, requestCert: true };
    for (const [what, ssl] of [
      ["on a prototype", Object.assign(Object.create(defaults) as object, identity("server"))],
      [
        "on a prototype without a prototype",
        Object.create(Object.assign(Object.create(null) as object, identity("server"), defaults)) as object,
      ],
      ["getters of a class", new Settings()],
      ["not enumerable", Object.defineProperty({ ...identity("server"), ...trust }, "requestCert", { value: true })],
    ] as const) {
      for (const by of ["ssl", "startTls()"] as const) {
        it(`are in force: ${what}, by ${by}`, async () => {
          if (by === "startTls()") {
            await using pair = await openPair(kind);
            const refused = assert.rejects(pair.peer.writer.startTls(ssl));
            await pair.client.writer.startTls(trust, HOST).catch(() => {});
            pair.client.writer.transport.abort();
            await refused;
            return;
          }
          await using ours = await listen(kind, { ssl });
          await checkEcho(await ours.connect({ ssl: { ...trust, ...identity("client") } }));
          await ours.connect().then(
            ([, writer]) => writer.close(),
            () => {},
          );
          await until(() => ours.errors.length > 0);
          assert.equal(ours.served.length, 1);
        });
      }
    }
  });

  describe(`{ secureContext } of a server over ${kind.name}`, () => {
    const secureContext = tls.createSecureContext({ ...identity("server"), ...trust });
    const clientSsl = { ...trust, ...identity("client") };

    it("is honoured with requestCert", async () => {
      await using ours = await listen(kind, { ssl: { secureContext, requestCert: true } as tls.TlsOptions });
      await checkEcho(await ours.connect({ ssl: clientSsl }));
      assert.equal(ours.served[0]?.writer.getExtraInfo("peercert")?.subject.CN, "asyncio-streams test: client");
      assert.equal(ours.served[0]?.writer.getExtraInfo("ssl_object")?.authorized, true);
    });

    it("is honoured with ALPNProtocols", async () => {
      await using ours = await listen(kind, { ssl: { secureContext, ALPNProtocols: ["ours/1"] } as tls.TlsOptions });
      const [reader, writer] = await ours.connect({ ssl: { ...trust, ALPNProtocols: ["ours/1"] } });
      assert.equal(writer.getExtraInfo("alpn_protocol"), "ours/1");
      await checkEcho([reader, writer]);
    });

    it("is honoured by startTls()", async () => {
      const serverSsl = { secureContext, requestCert: true } as tls.TlsOptions;
      assert.equal(await upgrade(kind, serverSsl, clientSsl), "asyncio-streams test: server");
      await using pair = await openPair(kind);
      const refused = assert.rejects(pair.peer.writer.startTls(serverSsl));
      await pair.client.writer.startTls(trust, HOST).catch(() => {});
      pair.client.writer.transport.abort();
      await refused;
    });

    it("does not let in a client whose session began without a certificate", async () => {
      await using open = await listen(kind, { ssl: { secureContext } as tls.TlsOptions });
      await using closed = await listen(kind, { ssl: { secureContext, requestCert: true } as tls.TlsOptions });
      const [reader, writer] = await open.connect();
      const socket = writer.getExtraInfo("ssl_object") as tls.TLSSocket;
      let session: Buffer | undefined;
      socket.on("session", (latest) => {
        session = latest;
      });
      await checkEcho([reader, writer]);
      const told = closed.connect({ ssl: { ...trust, session: session ?? socket.getSession() } }).then(async ([late, lateWriter]) => {
        const received = await late.read();
        lateWriter.close();
        return received;
      });
      assert.equal((await told.catch(() => "")).length, 0);
      await until(() => closed.errors.length > 0);
      assert.equal(closed.served.length, 0);
    });
  });
}

describe("the ssl of a server", () => {
  const refused: readonly (readonly [what: string, ssl: object, error: object])[] = [
    ["{}", {}, VALUE],
    ["a certificate without a key", { cert: identity("server").cert }, VALUE],
    ["a key without a certificate", { key: identity("server").key }, VALUE],
    ["an empty list of certificates", { cert: [], key: identity("server").key }, VALUE],
    ["only authorities", trust, VALUE],
    ["a context that is none", { context: {} }, TYPE],
    ["a context that is null", { context: null }, TYPE],
    ["a secureContext that is none", { secureContext: {} }, { ...TYPE, message: /secureContext/ }],
    ["a secureContext of options", { secureContext: identity("server") }, TYPE],
    ["a secureContext that is null", { secureContext: null }, TYPE],
    ["an SNICallback that is no function", { ...identity("server"), SNICallback: {} }, { ...TYPE, message: /SNICallback/ }],
    ["an ALPNCallback that is no function", { ...identity("server"), ALPNCallback: "ours/1" }, TYPE],
    ["a pskCallback that is no function", { ...identity("server"), pskCallback: 1 }, TYPE],
    ["ALPNProtocols that are text", { ...identity("server"), ALPNProtocols: "ours/1" }, TYPE],
    ["ALPNProtocols with an empty name", { ...identity("server"), ALPNProtocols: [""] }, TYPE],
    ["ALPNProtocols with a long name", { ...identity("server"), ALPNProtocols: ["x".repeat(256)] }, TYPE],
    [
      "ALPNProtocols and ALPNCallback",
      { ...identity("server"), ALPNProtocols: ["ours/1"], ALPNCallback: () => undefined },
      { code: "ERR_INVALID_ARG_VALUE" },
    ],
  ];

  const refuses = async (ssl: object, error: object): Promise<void> => {
    await assert.rejects(
      startServer(() => {}, "127.0.0.1", 0, { ssl } as StartServerOptions),
      error,
    );
    await using pair = await openPair(tcp);
    await assert.rejects(pair.peer.writer.startTls(ssl), error);
    assert.equal(pair.peer.writer.isClosing(), false);
  };

  for (const [what, ssl, error] of refused) it(`is refused at once: ${what}`, () => refuses(ssl, error));

  it("is refused at once: a SecureContext without a certificate", cannot("context-without-a-certificate", "bun"), async () => {
    await refuses(tls.createSecureContext({}), VALUE);
    await refuses({ secureContext: tls.createSecureContext(trust) }, VALUE);
  });

  it("may have its certificate in SNICallback alone", async () => {
    const context = tls.createSecureContext(identity("server"));
    const SNICallback: tls.TlsOptions["SNICallback"] = (_name, done) => done(null, context);
    await using ours = await listen(tcp, { ssl: { SNICallback } });
    await checkEcho(await ours.connect());
  });
});

describe("the ssl of a client", () => {
  for (const [what, ssl] of [
    ["a context that is none", { context: {} }],
    ["a secureContext that is none", { secureContext: { context: {} } }],
    ["a checkServerIdentity that is no function", { ...trust, checkServerIdentity: true }],
    ["a pskCallback that is no function", { ...trust, pskCallback: Buffer.alloc(16) }],
    ["ALPNProtocols that are text", { ...trust, ALPNProtocols: "ours/1" }],
  ] as const) {
    it(`is refused at once: ${what}`, async () => {
      await using pair = await openPair(tcp);
      await assert.rejects(pair.client.writer.startTls(ssl as SSLClient, HOST), TYPE);
      assert.equal(pair.client.writer.isClosing(), false);
    });
  }

  it("that TLS refuses only in the handshake fails the call", async () => {
    await using ours = await listen(tcp);
    await assert.rejects(ours.connect({ ssl: { ...trust, session: 5 as never } }), /session|Session|argument/);
    await until(() => ours.errors.length > 0); // that client is gone
    await checkEcho(await ours.connect());
  });

  it("may have an undefined checkServerIdentity, which is the default", async () => {
    await using ours = await listen(tcp);
    const ssl = { ...trust, checkServerIdentity: undefined };
    await checkEcho(await ours.connect({ ssl }));
    await assert.rejects(ours.connect({ ssl, serverHostname: "other.test" }), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });
});
