/** ssh-agent, with the client of `examples/ssh-agent.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { before, describe } from "node:test";
import { type Identity, isGood, SshAgent } from "../../examples/ssh-agent.js";
import { exampleOutput } from "./example.js";
import { findProgram, program, runToEnd } from "./program.js";

const PACKAGE = "openssh-client";
const KINDS = ["ed25519", "ecdsa", "rsa"];

describe("ssh-agent", () => {
  const server = program({ name: "ssh-agent", package: PACKAGE, args: ({ socket }) => ["-D", "-a", socket] });
  const keygen = findProgram("ssh-keygen", PACKAGE);
  const add = findProgram("ssh-add", PACKAGE);
  const { it } = server;
  let agent: SshAgent;
  let identities: Identity[];

  before(async () => {
    agent = await SshAgent.connect(server.socket);
    server.atEnd(() => agent.close());
    assert.deepEqual(await agent.identities(), []);
    for (const kind of KINDS) {
      const file = join(server.directory, kind);
      runToEnd(undefined, keygen, ["-q", "-t", kind, "-N", "", "-C", `my ${kind} key`, "-f", file], server.directory);
      const { status, stderr } = spawnSync(add, ["-q", file], { env: { ...process.env, SSH_AUTH_SOCK: server.socket }, encoding: "utf8" });
      assert.equal(status, 0, stderr);
    }
    identities = await agent.identities();
  });

  it("lists the keys that were added", () => {
    assert.deepEqual(
      identities.map(({ comment }) => comment),
      KINDS.map((kind) => `my ${kind} key`),
    );
  });

  for (const [index, kind] of KINDS.entries()) {
    it(`signs with a key of type ${kind}`, async () => {
      const identity = identities[index] as Identity;
      const data = randomBytes(1_000);
      const signature = await agent.sign(identity, data);
      assert.ok(isGood(identity, data, signature));
      data[0] = (data[0] as number) ^ 1;
      assert.ok(!isGood(identity, data, signature));
      assert.ok(!isGood(identity, randomBytes(1_000), signature));
    });
  }

  it("signs a hundred times on one connection, and much at once", async () => {
    const identity = identities[0] as Identity;
    for (let count = 0; count < 100; count += 1) {
      const data = Buffer.from(`number ${count}`);
      assert.ok(isGood(identity, data, await agent.sign(identity, data)));
    }
    const much = randomBytes(200_000);
    assert.ok(isGood(identity, much, await agent.sign(identity, much)));
  });

  it("refuses a key that it does not hold, and goes on", async () => {
    await assert.rejects(
      agent.sign({ blob: Buffer.from("no key"), comment: "" }, Buffer.from("data")),
      /^Error: the agent refuses request 13 with 5$/,
    );
    assert.equal((await agent.identities()).length, KINDS.length);
  });

  it("is not sent a message that is larger than it takes", async () => {
    const another = await SshAgent.connect(server.socket);
    await assert.rejects(another.sign(identities[0] as Identity, randomBytes(300_000)), /is 262144$/);
    await another.close();
  });

  it("answers the example as its header says", () => {
    const lines = exampleOutput("ssh-agent.js", [], { SSH_AUTH_SOCK: server.socket });
    assert.deepEqual(lines, [...KINDS.map((kind) => `my ${kind} key: the signature is good`), ""]);
  });
});
