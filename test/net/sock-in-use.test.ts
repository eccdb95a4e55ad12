/** A descriptor that another socket or server of this process uses: no call may take it, or close it when it fails. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Child, scriptCommand } from "../support/child.js";
import type { Outcome } from "../support/outcome.js";
import { cannot } from "../support/runtime.js";

const IN_USE = /^sock must not be in use: file descriptor \d+ belongs to another socket or server of this process$/;

describe("a descriptor that another socket of this process uses", cannot("descriptor-in-use", "bun", "deno"), () => {
  for (const [kind, takers] of [
    ["tcp", ["openConnection", "connectAcceptedSocket"]],
    ["unix", ["openUnixConnection", "connectAcceptedSocket"]],
    ["server", ["startServer"]],
  ] as const) {
    it(`is refused by every call, and stays open: ${kind}`, async () => {
      await using child = new Child(scriptCommand("net/in-use-child", kind));
      for (;;) {
        const told = await child.next<readonly [call: string, outcome: Outcome] | string>();
        if (typeof told === "string") {
          assert.equal(told, "still there");
          break;
        }
        const [call, { code, message }] = told;
        if (call === "net.Socket")
          assert.equal(code, "EEXIST"); // that is how Node reports it
        else if ((takers as readonly string[]).includes(call)) assert.match(message, IN_USE);
        else assert.match(message, /^(sock|limit) must/, call);
      }
      await child.ended;
    });
  }
});
