/** `loadUnix()`: which interface it uses, and what it says if it cannot use one. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { loadUnix, UnsupportedError } from "asyncio-streams/unix";
import { scriptCommand } from "../support/child.js";
import { needsLinux } from "../support/needs.js";
import { root } from "../support/repository.js";
import { nodeMajor, runtime } from "../support/runtime.js";
import { temporaryDirectory } from "../support/temporary.js";

const OWN = { node: "koffi", bun: "bun:ffi", deno: "Deno.dlopen" }[runtime];

/** Runs a script that prints what `loadUnix()` did, with arguments for the runtime in front. */
function load(args: readonly string[], ffi?: string, cwd?: string): { stdout: string; stderr: string } {
  const [program = "", ...rest] = scriptCommand("unix/load-child", ...(ffi === undefined ? [] : [ffi]));
  return spawnSync(program, [...args, ...rest], { encoding: "utf8", ...(cwd === undefined ? {} : { cwd }) });
}

describe("loadUnix()", needsLinux, () => {
  it("uses the interface of the runtime, or koffi", async () => {
    const loaded = await loadUnix();
    assert.deepEqual(loaded, { ffi: OWN });
    assert.equal(await loadUnix(), loaded);
    assert.equal(await loadUnix({ ffi: loaded.ffi }), loaded);
    assert.equal(await loadUnix({ ffi: undefined }), loaded);
  });

  it("refuses another interface once one is loaded", async () => {
    await loadUnix();
    const ffi = runtime === "node" ? "bun:ffi" : "node:ffi";
    await assert.rejects(loadUnix({ ffi }), { name: "TypeError", message: `ffi cannot be changed to ${ffi}: ${OWN} is loaded` });
    assert.deepEqual(await loadUnix(), { ffi: OWN });
  });

  it("refuses wrong arguments", async () => {
    await assert.rejects(loadUnix({ ffi: "libffi" } as never), {
      message: "ffi must be one of koffi, node:ffi, bun:ffi, Deno.dlopen, not string 'libffi'",
    });
    await assert.rejects(loadUnix({ ffi: "toString" } as never), { code: "ERR_INVALID_ARG_VALUE" });
    await assert.rejects(loadUnix({ fii: "koffi" } as never), { name: "TypeError" });
    await assert.rejects(loadUnix("koffi" as never), { name: "TypeError" });
  });

  it("loads koffi on request, on Bun too", { skip: runtime === "deno" && "does not support koffi" }, () => {
    assert.match(load([], "koffi").stdout, /^koffi \d+\n$/);
  });

  const foreign = (["koffi", "node:ffi", "bun:ffi", "Deno.dlopen"] as const).filter(
    (ffi) => ffi !== OWN && !(ffi === "koffi" && runtime === "bun") && !(ffi === "node:ffi" && runtime === "node" && nodeMajor >= 26),
  );
  for (const ffi of foreign) {
    it(`rejects with UnsupportedError where there is no ${ffi}, and can be called again`, () => {
      const { stdout } = load([], ffi);
      assert.match(stdout, new RegExp(`^UnsupportedError ERR_UNSUPPORTED cannot load the C library through ${ffi}: .*\n${OWN} \\d+\n$`));
    });
  }

  it("uses node:ffi on request, where there is one", { skip: (runtime !== "node" || nodeMajor < 26) && "needs Node.js 26" }, () => {
    const { stdout, stderr } = load([], "node:ffi");
    assert.match(stdout, /^node:ffi \d+\n$/);
    assert.match(stderr, /ExperimentalWarning: FFI/);
  });

  it("says what to install where koffi is missing", { skip: runtime !== "node" && "needs no koffi" }, () => {
    // A copy of the library, from which no node_modules is found.
    const directory = temporaryDirectory();
    const build = join(directory, "build", "test");
    mkdirSync(join(build, "unix"), { recursive: true });
    cpSync(join(root, "dist"), join(directory, "dist"), { recursive: true });
    cpSync(join(root, "package.json"), join(directory, "package.json"));
    cpSync(join(root, "build", "test", "unix", "load-child.js"), join(build, "unix", "load-child.js"));
    const { stdout } = spawnSync(process.execPath, [join(build, "unix", "load-child.js")], { encoding: "utf8" });
    assert.match(stdout, /^UnsupportedError ERR_UNSUPPORTED .*through koffi: .*install koffi 3\.3 or later \(npm install koffi\)/);
  });

  it("says what to allow", { skip: runtime === "bun" && "has no permissions" }, () => {
    const script = scriptCommand("unix/load-child");
    const denoArgs = ["run", "--allow-read", "--allow-env", "--allow-sys", "--no-prompt", "--no-check", "--quiet", script.at(-1) as string];
    const permission = nodeMajor < 24 ? "--experimental-permission" : "--permission";
    const nodeArgs = [permission, "--allow-fs-read=*", "--no-warnings", script.at(-1) as string];
    const { stdout } = spawnSync(script[0] as string, runtime === "deno" ? denoArgs : nodeArgs, { encoding: "utf8" });
    assert.match(stdout, new RegExp(`^UnsupportedError ERR_UNSUPPORTED .*${runtime === "deno" ? "--allow-ffi" : "--allow-addons"}`));
  });

  it("is an error with a cause", () => {
    const cause = new Error("why");
    const error = new UnsupportedError("what", { cause });
    assert.deepEqual([error.name, error.code, error.message, error.cause], ["UnsupportedError", "ERR_UNSUPPORTED", "what", cause]);
  });
});
