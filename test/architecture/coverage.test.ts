/** What is left out of the measured coverage is left out for a reason. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../support/repository.js";
import { sourceFiles } from "./source-files.js";

/** Every comment that has to do with it. */
const hints = [...sourceFiles()].flatMap(([file, { text }]) =>
  text
    .split("\n")
    .flatMap((line, index) => (/\b(?:c8|v8|istanbul) ignore\b/.test(line) ? [{ at: `${file}:${index + 1}`, hint: line.trim() }] : [])),
);

const { exclude } = JSON.parse(readFileSync(join(root, ".c8rc.json"), "utf8")) as { readonly exclude: readonly string[] };
const excluded = exclude.filter((name) => name !== "dist/**/*.d.ts");

describe("a file that coverage leaves out", () => {
  for (const name of excluded.filter((each) => each.startsWith("dist/"))) {
    it(`has only types, and compiles to no code: ${name}`, () => {
      const code = readFileSync(join(root, name), "utf8").replace(/\/\*[^]*?\*\/|\/\/.*/g, "");
      assert.equal(code.trim(), "export {};");
    });
  }

  it("is left out as it was written and as it was compiled", () => {
    const sources = excluded.filter((name) => name.startsWith("src/"));
    const compiled = sources.map((name) => name.replace(/^src\/(.*)\.ts$/, "dist/$1.js"));
    assert.deepEqual(excluded.toSorted(), [...sources, ...compiled].toSorted());
  });
});

describe("a line that coverage leaves out", () => {
  it("is known", () => assert.ok(hints.length > 0));

  for (const { at, hint } of hints) {
    it(`has a reason, or ends what has one: ${at}`, () => {
      assert.match(hint, /^\/\* c8 ignore (?:(?:next(?: \d+)?|start) -- \S.{2,} |stop )\*\/$/);
    });
  }
});
