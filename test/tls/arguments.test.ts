/** Wrong arguments of TLS are refused before anything is opened. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import {
  type OpenConnectionOptions,
  openConnection,
  openUnixConnection,
  type StartServerOptions,
  type StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { bareConnection, bareServer } from "../support/bare-sockets.js";
import { identity, trust } from "../support/certificates.js";
import { type Kind, kinds, openPair } from "../support/pairs.js";
import { RANGE, TYPE, VALUE } from "../support/refused.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { turns } from "../support/turns.js";

type Case = readonly [what: string, options: object, error: { name: string | RegExp; code?: string | RegExp; message?: RegExp }];

/** Time-outs that no call takes. */
const timeouts: readonly Case[] = ["sslHandshakeTimeout", "sslShutdownTimeout"].flatMap((name): readonly Case[] => [
  [`${name} 0`, { [name]: 0 }, { ...RANGE, message: new RegExp(name) }],
  [`${name} -1`, { [name]: -1 }, RANGE],
  [`${name} 1.5`, { [name]: 1.5 }, RANGE],
  [`${name} NaN`, { [name]: Number.NaN }, RANGE],
  [`${name} 2 ** 31`, { [name]: 2 ** 31 }, RANGE],
  [`${name} "1"`, { [name]: "1" }, { ...TYPE, message: new RegExp(`${name} must be a number`) }],
  [`${name} null`, { [name]: null }, TYPE],
]);

/** The runtime's own error, or ours where the runtime accepts anything. */
const REFUSED = { name: /^(Type)?Error$/ };

/** TLS that cannot be made of what was given, in either role. */
const unusable: readonly Case[] = [
  ["a certificate that is no PEM", { ssl: { ...identity("server"), cert: "no PEM" } }, REFUSED],
  ["a certificate that is PEM of something else", { ssl: { ...identity("server"), cert: identity("server").key } }, REFUSED],
  ["a key that is no PEM", { ssl: { ...identity("server"), key: "no PEM" } }, REFUSED],
  ["a key that is not the certificate's", { ssl: { ...identity("server"), key: identity("client").key } }, REFUSED],
  ["a key of another type than the certificate's", { ssl: { ...identity("server"), key: identity("server-rsa").key } }, REFUSED],
  [
    "two certificates with the key of one",
    { ssl: { ...identity("server"), cert: [identity("server").cert, identity("server-rsa").cert] } },
    REFUSED,
  ],
];

const unknownCiphers: Case = ["unknown ciphers", { ssl: { ...identity("server"), ciphers: "NO-SUCH-CIPHER" } }, { name: "Error" }];

const client: readonly Case[] = [
  ...["serverHostname", "sslHandshakeTimeout", "sslShutdownTimeout"].flatMap((name): readonly Case[] => [
    [
      `${name} without ssl`,
      { [name]: name === "serverHostname" ? "localhost" : 1_000 },
      { ...VALUE, message: new RegExp(`^${name} .*ssl`) },
    ],
    [`${name} with ssl false`, { ssl: false, [name]: name === "serverHostname" ? "" : 1_000 }, VALUE],
  ]),
  ...[1, "true", "", Symbol("ssl"), () => {}].map((ssl): Case => [`ssl ${String(ssl)}`, { ssl, serverHostname: "localhost" }, TYPE]),
  ...[1, null, {}, true].map((name): Case => [`serverHostname ${String(name)}`, { ssl: trust, serverHostname: name }, TYPE]),
  ...[".localhost", "local\0host", "b\u00fc cher.test", "\u00ad"].map(
    (name): Case => [
      `serverHostname ${JSON.stringify(name)}`,
      { ssl: trust, serverHostname: name },
      { ...VALUE, message: /not a valid name/ },
    ],
  ),
  ...timeouts.map(([what, options, error]): Case => [what, { ssl: trust, serverHostname: "localhost", ...options }, error]),
];

const server: readonly Case[] = [
  ...["sslHandshakeTimeout", "sslShutdownTimeout"].map(
    (name): Case => [`${name} without ssl`, { [name]: 1_000 }, { ...VALUE, message: new RegExp(`^${name} .*ssl`) }],
  ),
  ...[true, false, 1, "true"].map((ssl): Case => [`ssl ${String(ssl)}`, { ssl }, { ...TYPE, message: /certificate/ }]),
  ["serverHostname", { ssl: identity("server"), serverHostname: "localhost" }, VALUE],
  ...timeouts.map(([what, options, error]): Case => [what, { ssl: identity("server"), ...options }, error]),
];

/** Connects to servers that note who comes: nobody may. */
async function checkClient(options: object, error: object): Promise<void> {
  await using far = await bareServer();
  await using unixFar = await bareServer(socketPath());
  await assert.rejects(openConnection("127.0.0.1", far.port, options as OpenConnectionOptions), error);
  await assert.rejects(openUnixConnection(unixFar.path, options as OpenConnectionOptions), error);
  await turns(5);
  assert.deepEqual([far.sockets.length, unixFar.sockets.length], [0, 0]);
}

async function checkServer(options: object, error: object): Promise<void> {
  const path = socketPath();
  await assert.rejects(
    startServer(() => {}, "127.0.0.1", 0, options as StartServerOptions),
    error,
  );
  await assert.rejects(
    startUnixServer(() => {}, path, options as StartServerOptions),
    error,
  );
  assert.equal(existsSync(path), false);
}

/** After a refusal the connection goes on in the clear. */
async function checkStartTls(kind: Kind, role: "client" | "peer", cases: readonly Case[]): Promise<void> {
  await using pair = await openPair(kind);
  const { writer } = pair[role];
  for (const [what, given, error] of cases) {
    const { ssl, ...options } = given as { ssl: Parameters<StreamWriter["startTls"]>[0] };
    await assert.rejects(writer.startTls(ssl, options), error, what);
  }
  assert.deepEqual([writer.isClosing(), writer.getExtraInfo("ssl_object")], [false, null]);
  pair.client.writer.write("still here\n");
  pair.peer.writer.write("so am I\n");
  assert.equal((await pair.peer.reader.readline()).toString(), "still here\n");
  assert.equal((await pair.client.reader.readline()).toString(), "so am I\n");
}

describe("the TLS options of a client", () => {
  for (const [what, options, error] of client) it(`refuses ${what} before it connects`, () => checkClient(options, error));
  for (const [what, options, error] of unusable) {
    it(`refuses ${what} before it connects`, () => checkClient({ serverHostname: "localhost", ...options }, error));
  }
  {
    const [what, options, error] = unknownCiphers;
    it(`refuses ${what} before it connects`, cannot("unknown-ciphers", "deno"), () =>
      checkClient({ serverHostname: "localhost", ...options }, error),
    );
  }

  it("refuses ssl on a Unix socket without serverHostname", async () => {
    await using far = await bareServer(socketPath());
    await assert.rejects(openUnixConnection(far.path, { ssl: trust }), {
      ...VALUE,
      message: "serverHostname is required with ssl when no host is given",
    });
    await turns(5);
    assert.equal(far.sockets.length, 0);
  });

  it("refuses ssl with host null without serverHostname", async () => {
    await using far = await bareServer();
    for (const host of [null, undefined]) await assert.rejects(openConnection(host, far.port, { ssl: trust }), VALUE);
    await turns(5);
    assert.equal(far.sockets.length, 0);
  });

  it("refuses ssl on a socket that is handed over without serverHostname, and closes the socket", async () => {
    const { far, socket } = await bareConnection("tcp");
    await using _ = far;
    await assert.rejects(openConnection(null, null, { sock: socket, ssl: trust }), VALUE);
    assert.equal(socket.destroyed, true);
  });
});

describe("the TLS options of a server", () => {
  for (const [what, options, error] of server) it(`refuses ${what} before it listens`, () => checkServer(options, error));
  for (const [what, options, error] of unusable) {
    it(`refuses ${what} before it listens`, () => checkServer(options, error));
  }
  {
    const [what, options, error] = unknownCiphers;
    it(`refuses ${what} before it listens`, cannot("unknown-ciphers", "deno"), () => checkServer(options, error));
  }

  it("may have several certificates with their keys in any order, and a key with its own passphrase", async () => {
    const [one, other] = [identity("server"), identity("server-rsa")];
    const encrypted = createPrivateKey(other.key).export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" });
    for (const ssl of [
      { cert: [one.cert, other.cert], key: [other.key, one.key] },
      { cert: other.cert, key: encrypted, passphrase: "secret" },
      { cert: other.cert, key: [{ pem: encrypted, passphrase: "secret" }] },
      { cert: one.cert, key: one.key, passphrase: null as never },
    ]) {
      const server = await startServer(() => {}, "127.0.0.1", 0, { ssl });
      await server.shutdown();
    }
  });
});

for (const kind of kinds) {
  describe(`the options of startTls() over ${kind.name}`, () => {
    const ofAnyUse = (cases: readonly Case[]): Case[] => cases.filter(([what]) => !/with(out)? ssl/.test(what));
    for (const [role, name, cases, ssl] of [
      ["client", "a client", ofAnyUse(client), trust],
      ["peer", "a server", ofAnyUse(server), identity("server")],
    ] as const) {
      const more: readonly Case[] = [
        ["ssl undefined", { ssl: undefined }, TYPE],
        ["ssl null", { ssl: null }, TYPE],
      ];
      it(`are checked for ${name}`, () => checkStartTls(kind, role, [...cases, ...more]));

      it(`have to make TLS for ${name}`, () => checkStartTls(kind, role, unusable));

      it(`have to be an object for ${name}`, async () => {
        await using pair = await openPair(kind);
        await assert.rejects(pair[role].writer.startTls(ssl, 5 as never), TYPE);
      });
    }
  });
}
