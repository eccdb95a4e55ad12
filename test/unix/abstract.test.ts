/** Names in Linux's abstract namespace: they are the same ones that other programs mean. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openUnixConnection } from "asyncio-streams";
import { Child } from "../support/child.js";
import { type Need, needs, needsLinux } from "../support/needs.js";
import { cannot, nodeMajor, runtime } from "../support/runtime.js";
import { ask, end, serve } from "./answering.js";
import { python, pythonCommand } from "./python.js";

/** Node 20 pads names, so that only those of the full length can be had. */
const pads = runtime === "node" && nodeMajor < 22 && process.platform === "linux";

let counter = 0;
/** A new name, of exactly `length` bytes with its NUL if that is given. */
function abstractName(length?: number): string {
  counter += 1;
  const name = `\0as-test-${process.pid}-${counter}`;
  return length === undefined ? name : name.padEnd(length, "x");
}

const hex = (name: string): string => Buffer.from(name).toString("hex");

/** Names that reach Python from here and the other way round. */
const names: readonly (readonly [string, () => string, Need])[] = [
  ["of 108 bytes with its NUL", () => abstractName(108), cannot("abstract-name-of-108-bytes", "bun")],
  ...(pads
    ? []
    : ([
        ["of a few bytes", () => abstractName(), { skip: false }],
        ["of 107 bytes with its NUL", () => abstractName(107), { skip: false }],
        ["that is not ASCII", () => `${abstractName()}-über-雪`, { skip: false }],
        ["with a NUL inside", () => `${abstractName()}\0inside`, { skip: false }],
        ["with a NUL at its end", () => `${abstractName()}\0`, { skip: false }],
        ["that looks like a path", () => `${abstractName()}/run/x.sock`, { skip: false }],
      ] as const)),
];

for (const [what, make, can] of names) {
  describe(`an abstract name ${what}`, needsLinux, () => {
    it("of a server of ours is found by Python", needs(can, python), async () => {
      const name = make();
      const server = await serve("ours", name);
      await using peer = new Child(pythonCommand("abstract_peer", "connect", hex(name)));
      assert.deepEqual(await peer.next(), ["ours hello\n", hex(name)]);
      await peer.ended;
      await end(server);
    });

    it("of a server of Python's is found by us", needs(can, python), async () => {
      const name = make();
      await using peer = new Child(pythonCommand("abstract_peer", "serve", hex(name)));
      assert.equal(await peer.next(), "ready");
      assert.equal(await ask(name), "python: who");
      assert.equal(await peer.next(), "who\n");
      await peer.ended;
    });

    it("connects two ends of ours, as bytes and as text, and is their address", can, async () => {
      const name = make();
      const server = await serve("ours", Buffer.from(name));
      assert.equal(server.sockets[0]!.getsockname(), name);
      assert.equal(await ask(name), "ours who");
      assert.equal(await ask(Buffer.from(name)), "ours who");
      await assert.rejects(serve("second", name), { code: "EADDRINUSE" });
      await end(server);
      await assert.rejects(openUnixConnection(name), { code: "ECONNREFUSED" });
    });
  });
}

if (pads) {
  describe("an abstract name that would be padded", () => {
    for (const name of [abstractName(), abstractName(107), "\0"]) {
      it(`of ${name.length} bytes is refused before anything is opened, with advice`, async () => {
        const refusal = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message: /pads it with NULs.*108 bytes.*Node\.js 22/ };
        await assert.rejects(serve("ours", name), refusal);
        await assert.rejects(openUnixConnection(name), refusal);
      });
    }
  });
}

describe("an abstract name without a file refuses an option", needsLinux, () => {
  for (const [option, value] of [
    ["mode", 0o600],
    ["owner", { uid: 0 }],
    ["takeover", true],
  ] as const) {
    it(`for ${option}`, async () => {
      await assert.rejects(serve("ours", abstractName(108), { [option]: value }), {
        name: "TypeError",
        message: new RegExp(`^${option} `),
      });
    });
  }
});
