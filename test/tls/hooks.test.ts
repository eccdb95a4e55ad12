/** Functions of the program that TLS calls: whatever they do, only their own handshake fails, with their error. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import tls from "node:tls";
import type { SSLClient, SSLServer } from "asyncio-streams";
import { identity, trust } from "../support/certificates.js";
import { type Kind, kinds, tcp } from "../support/pairs.js";
import { cannot } from "../support/runtime.js";
import { checkEcho, HOST, listen } from "../support/tls-kinds.js";
import { turns, until } from "../support/turns.js";

const mine = new RangeError("an error of the program");
const isMine = (error: unknown): boolean => error === mine;

const throwMine = (): never => {
  throw mine;
};
const rejectMine = async (): Promise<never> => throwMine();

/** What a hook does, and what the handshake fails with. */
type Fault = readonly [what: string, hook: unknown, isExpected: (error: Error & { code?: string }) => boolean];

const hasCode =
  (code: string): Fault[2] =>
  (error) =>
    error.code === code;
const isType = hasCode("ERR_INVALID_ARG_TYPE");

const failing: readonly Fault[] = [
  ["throws", throwMine, isMine],
  ["rejects", rejectMine, isMine],
  [
    "throws text",
    () => {
      throw "text";
    },
    (error) => error.code === "ERR_NOT_AN_ERROR" && error.cause === "text",
  ],
];

type SniAnswer = (error: unknown, context?: unknown) => void;
/** The options of a server with this `SNICallback`. */
const withSni = (hook: unknown): tls.TlsOptions => ({ ...identity("server"), SNICallback: hook as () => void });
const answering = (error: unknown, context?: unknown) => (_name: string, answer: SniAnswer) => answer(error, context);

const sniFaults: readonly Fault[] = [
  ...failing,
  ["answers with an error", answering(mine), isMine],
  [
    "answers with an error later",
    (_name: string, answer: SniAnswer) => {
      setImmediate(() => answer(mine));
    },
    isMine,
  ],
  ["answers with options", answering(null, identity("server")), isType],
  ["answers with a context that is none", answering(null, { context: {} }), isType],
  ["answers with text", answering(null, "localhost"), isType],
  ["answers with false", answering(null, false), isType],
];

const alpnFaults: readonly Fault[] = [
  ...failing,
  ["answers with a protocol that was not offered", () => "theirs/2", isType],
  ["answers with a number", () => 1, isType],
  ["answers with a promise", async () => "ours/1", isType],
];

const identityFaults: readonly Fault[] = [
  ...failing,
  ["returns its error", () => mine, isMine],
  ["returns text", () => "not the pinned certificate", isType],
  ["returns false", () => false, isType],
  ["returns a promise", async () => undefined, isType],
];

/** A handshake over a kind of socket: both errors, `null` for none. */
type Meet = (kind: Kind, serverSsl: SSLServer, clientSsl: SSLClient) => Promise<{ server: Error | null; client: Error | null }>;

const meetBySsl: Meet = async (kind, serverSsl, clientSsl) => {
  await using ours = await listen(kind, { ssl: serverSsl });
  const client = await ours.connect({ ssl: clientSsl }).then(
    ([, writer]) => {
      writer.close();
      return null;
    },
    (error: Error) => error,
  );
  await until(() => ours.errors.length + ours.served.length > 0);
  await turns(5);
  assert.ok(ours.errors.length <= 1, "the server reports one error");
  return { server: ours.errors[0]?.error ?? null, client };
};

const meetByStartTls: Meet = async (kind, serverSsl, clientSsl) => {
  let told: Promise<Error | null> | undefined;
  const { server, connect } = await kind.serve((_reader, writer) => {
    told = writer.startTls(serverSsl).then(
      () => {
        writer.close();
        return null;
      },
      (error: Error) => error,
    );
  });
  const [, writer] = await connect();
  const client = await writer.startTls(clientSsl, HOST).then(
    () => null,
    (error: Error) => error,
  );
  writer.close();
  await until(() => told !== undefined);
  const result = { server: await (told as Promise<Error | null>), client };
  server.close();
  await server.waitClosed();
  return result;
};

for (const [by, meet] of [
  ["ssl", meetBySsl],
  ["startTls()", meetByStartTls],
] as const) {
  for (const kind of kinds) {
    describe(`SNICallback over ${kind.name}, by ${by}`, () => {
      for (const [what, hook, isExpected] of sniFaults) {
        it(`that ${what} fails the handshake with that error`, async () => {
          const { server, client } = await meet(kind, withSni(hook), trust);
          assert.ok(server !== null && isExpected(server), String(server));
          assert.ok(client instanceof Error, "the client is not refused");
          assert.doesNotMatch(server.message, /PRIVATE KEY/);
        });
      }

      it("that answers twice has answered once", async () => {
        const SNICallback = (_name: string, answer: SniAnswer): void => {
          answer(null, tls.createSecureContext(identity("server")));
          answer(mine);
          setImmediate(() => answer(null, "text"));
        };
        assert.deepEqual(await meet(kind, withSni(SNICallback), trust), { server: null, client: null });
      });

      it("that answers null or undefined leaves the server's certificate", async () => {
        for (const context of [null, undefined]) {
          const SNICallback = answering(null, context);
          assert.deepEqual(await meet(kind, withSni(SNICallback), trust), { server: null, client: null });
        }
      });
    });

    describe(`ALPNCallback over ${kind.name}, by ${by}`, () => {
      const clientSsl = { ...trust, ALPNProtocols: ["ours/1"] };

      for (const [what, hook, isExpected] of alpnFaults) {
        it(`that ${what} fails the handshake with that error`, async () => {
          const { server, client } = await meet(kind, { ...identity("server"), ALPNCallback: hook } as tls.TlsOptions, clientSsl);
          assert.ok(server !== null && isExpected(server), String(server));
          assert.ok(client instanceof Error, "the client is not refused");
        });
      }

      it("chooses a protocol", async () => {
        const ssl = { ...identity("server"), ALPNCallback: ({ protocols }: { protocols: string[] }) => protocols[0] };
        assert.deepEqual(await meet(kind, ssl as tls.TlsOptions, clientSsl), { server: null, client: null });
      });
    });

    describe(`checkServerIdentity over ${kind.name}, by ${by}`, () => {
      for (const [what, hook, isExpected] of identityFaults) {
        it(`that ${what} fails the handshake with that error`, async () => {
          const checkServerIdentity = hook as () => undefined;
          const { client } = await meet(kind, identity("server"), { ...trust, checkServerIdentity });
          assert.ok(client !== null && isExpected(client), String(client));
        });
      }

      it("that returns undefined or null accepts", async () => {
        for (const answer of [undefined, null]) {
          const checkServerIdentity = (() => answer) as () => undefined;
          assert.equal((await meet(kind, identity("server"), { ...trust, checkServerIdentity })).client, null);
        }
      });

      it("that throws fails the handshake even with rejectUnauthorized: false", async () => {
        const { client } = await meet(kind, identity("server"), { ...trust, rejectUnauthorized: false, checkServerIdentity: throwMine });
        assert.equal(client, mine);
      });
    });

    describe(`pskCallback over ${kind.name}, by ${by}`, cannot("pre-shared-keys", "bun", "deno"), () => {
      const key = Buffer.alloc(16, 7);
      const ciphers = "PSK";
      const versions = { maxVersion: "TLSv1.2", ciphers } as const;
      const ask = { psk: key, identity: "me" };
      const meetWith = (serverHook: unknown, clientHook: unknown): ReturnType<Meet> =>
        meet(
          kind,
          { ...versions, pskCallback: serverHook } as tls.TlsOptions,
          { ...versions, pskCallback: clientHook, checkServerIdentity: () => undefined } as tls.ConnectionOptions,
        );

      const keyFaults: readonly Fault[] = [
        ...failing,
        ["answers with text", () => "key", isType],
        ["answers with a promise", async () => key, isType],
        ["answers with an object without a key", () => ({ psk: "key" }), isType],
        ["answers with a key that is too long", () => ({ psk: Buffer.alloc(513), identity: "me" }), hasCode("ERR_INVALID_ARG_VALUE")],
      ];

      for (const [what, hook, isExpected] of keyFaults) {
        it(`of a server that ${what} fails the handshake with that error`, async () => {
          const { server, client } = await meetWith(hook, () => ask);
          assert.ok(server !== null && isExpected(server), String(server));
          assert.ok(client instanceof Error, "the client is not refused");
        });
      }

      for (const [what, hook, isExpected] of [
        ...keyFaults,
        ["has no identity", () => ({ psk: key }), isType],
        ["has an identity that is too long", () => ({ psk: key, identity: "x".repeat(257) }), isType],
      ] as readonly Fault[]) {
        it(`of a client that ${what} fails the handshake with that error`, async () => {
          const { client } = await meetWith(() => key, hook);
          assert.ok(client !== null && isExpected(client), String(client));
        });
      }

      for (const [what, serverKey] of [
        ["a Buffer", key],
        ["a DataView", new DataView(key.buffer, key.byteOffset, key.length)],
        ["an object", { psk: key }],
      ] as const) {
        it(`authenticates with ${what}`, async () => {
          assert.deepEqual(
            await meetWith(
              () => serverKey,
              () => ask,
            ),
            { server: null, client: null },
          );
        });
      }

      it("without an answer fails the handshake on both sides", async () => {
        for (const [serverHook, clientHook] of [
          [() => null, () => ask],
          [() => key, () => null],
        ] as const) {
          const { server, client } = await meetWith(serverHook, clientHook);
          assert.ok(server instanceof Error && client instanceof Error);
        }
      });
    });
  }
}

describe("an SNICallback that answers late", () => {
  it("has no effect when the client is gone", async () => {
    let answer: SniAnswer | undefined;
    const SNICallback = (_name: string, later: SniAnswer): void => {
      answer = later;
    };
    await using ours = await listen(tcp, { ssl: withSni(SNICallback) });
    const [, port] = ours.address as readonly [string, number];
    const client = tls.connect({ port, host: "127.0.0.1", ...trust, servername: "localhost" }).on("error", () => {});
    await until(() => answer !== undefined);
    client.destroy();
    await once(client, "close");
    await until(() => ours.errors.length > 0);
    for (const late of [null, mine]) answer?.(late, tls.createSecureContext(identity("server")));
    answer?.(null, {});
    await turns(5);
    assert.equal(ours.errors.length, 1);
  });
});

describe("a client that the server's hooks refuse", () => {
  it("harms no other client", async () => {
    const SNICallback = ((name: string, done: SniAnswer) => done(null, name === "localhost" ? identity("server") : null)) as () => void;
    await using ours = await listen(tcp, { ssl: withSni(SNICallback) });
    const refused = Array.from({ length: 5 }, () => assert.rejects(ours.connect()));
    const served = Array.from({ length: 5 }, async () => checkEcho(await ours.connect({ serverHostname: "127.0.0.1" })));
    await Promise.all([...refused, ...served]);
    await until(() => ours.errors.length === 5);
  });
});
