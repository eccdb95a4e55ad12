/** The package for JSR, as `scripts/jsr.mjs` writes it: Deno checks it as it does before it publishes it. Nothing is published. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../support/repository.js";
import { runtimes } from "./under-test.js";

describe("the package for JSR", () => {
  it("is complete and free of slow types", () => {
    execFileSync(process.execPath, [join(root, "scripts", "jsr.mjs")]);
    const deno = runtimes.find(({ name }) => name === "deno")?.command[0] as string;
    const { status, stderr } = spawnSync(deno, ["publish", "--dry-run", "--allow-dirty"], {
      cwd: join(root, "build", "jsr"),
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /Dry run complete/);
    assert.doesNotMatch(stderr, /warning/i);
  });

  it("has the entries of the package", () => {
    const read = (file: string): { readonly exports: object; readonly version: string } =>
      JSON.parse(readFileSync(join(root, file), "utf8")) as { exports: object; version: string };
    const [npm, jsr] = [read("package.json"), read("build/jsr/jsr.json")];
    assert.deepEqual([...Object.keys(jsr.exports), "./package.json"], Object.keys(npm.exports));
    assert.equal(jsr.version, npm.version);
  });
});
