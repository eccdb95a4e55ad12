/** The types of subprocesses follow the options: the tests here are done when they are compiled. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StreamReader, StreamWriter } from "asyncio-streams";
import {
  createSubprocessExec,
  createSubprocessShell,
  DEVNULL,
  PIPE,
  type Process,
  type Redirection,
  STDOUT,
  type SubprocessOptions,
} from "asyncio-streams/process";

/** Compiles only for this type. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
function is<T>(value: T): void {
  assert.notEqual(value, undefined);
}

describe("the types of a Process", () => {
  it("have streams for pipes and null for anything else", async () => {
    const child = await createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE, stderr: DEVNULL });
    is<StreamWriter>(child.stdin);
    is<StreamReader>(child.stdout);
    is<null>(child.stderr);
    const [output, errors] = await child.communicate("a");
    is<Buffer>(output);
    is<null>(errors);
    is<Process>(child);
  });

  it("have null for what is inherited or merged", async () => {
    const child = await createSubprocessShell("exit 0", { stdout: PIPE, stderr: STDOUT });
    is<null>(child.stdin);
    is<StreamReader>(child.stdout);
    is<null>(child.stderr);
    const other = await createSubprocessShell("exit 0");
    is<null>(other.stdout);
    is<[null, null]>(await other.communicate());
    await child.communicate();
  });

  it("have both if the options do not tell", async () => {
    const options: SubprocessOptions = { stdout: PIPE };
    const child = await createSubprocessShell("exit 0", options);
    is<StreamReader | null>(child.stdout);
    // @ts-expect-error it may be null
    is<StreamReader>(child.stdout);
    const [output] = await child.communicate();
    is<Buffer | null>(output);
    const where = (): Redirection => DEVNULL;
    const other = await createSubprocessShell("exit 0", { stdout: where() });
    is<StreamReader | null>(other.stdout);
    await other.wait();
  });

  it("refuse options of other names", async () => {
    // @ts-expect-error Node's, not Python's
    await assert.rejects(createSubprocessShell("exit 0", { shell: "/bin/bash" }), { code: "ERR_INVALID_ARG_VALUE" });
    // @ts-expect-error for stderr
    await assert.rejects(createSubprocessShell("exit 0", { stdout: "pipe" }), { code: "ERR_INVALID_ARG_TYPE" });
  });
});
