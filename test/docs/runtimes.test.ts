/** `docs/runtimes.md` lists each test that a runtime is excused from, with the reason, and no other; and the table of what was run is without failures. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../support/repository.js";
import { leadingCode, readMarkdown } from "./markdown.js";

/** The skips in the tests: name, runtime, runtime. */
const marks = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && name !== join("support", "runtime.ts"))
  .flatMap((name) => [...readFileSync(join(root, "test", name), "utf8").matchAll(/\bcannot\(([^)]*)\)/g)])
  .map((match) => [...(match[1] as string).matchAll(/"([^"]*)"/g)].map(([, text]) => text as string))
  .filter(([name, ...runtimes]) => name !== undefined && runtimes.length > 0);

/** The runtimes that are excused from any of the tests under a name. */
const skips = new Map<string, Set<string>>();
for (const [name = "", ...runtimes] of marks) skips.set(name, new Set([...(skips.get(name) ?? []), ...runtimes]));

/** The same from the document. */
const rows = readMarkdown("docs/runtimes.md").rows("Tests that a runtime cannot pass");
const documented = new Map(rows.map(([name, runtimes, reason]) => [leadingCode(name), { runtimes, reason }]));

describe("docs/runtimes.md", () => {
  for (const [name, runtimes] of skips) {
    it(`gives the reason for ${name}`, () => {
      const row = documented.get(name);
      assert.ok(row !== undefined, `${name} is not in the table`);
      assert.deepEqual(row.runtimes?.toLowerCase().split(", "), [...runtimes].toSorted());
      assert.ok((row.reason ?? "").length > 20, "the reason is missing");
    });
  }

  it("lists only skips that exist", () => {
    assert.deepEqual(
      [...documented.keys()].filter((name) => name === null || !skips.has(name)),
      [],
    );
  });

  it("lists each skip once", () => assert.equal(documented.size, rows.length));

  const matrix = readMarkdown("docs/runtimes.md").rows("What was run");
  const folders = readdirSync(join(root, "test"));

  it("shows results only of tests that exist", () => {
    for (const [folder = ""] of matrix) assert.ok(folder === "**all**" || folders.includes(folder.slice(1, -2)), folder);
  });

  it("shows no failure, and on Node only skips that need CPython 3.13", () => {
    for (const [folder, ...cells] of matrix) {
      for (const cell of cells) assert.doesNotMatch(cell, /failed/);
      const known = folder === "`parity/`" || folder === "**all**" ? ", 3 skipped" : "";
      for (const cell of cells.slice(0, 4)) assert.match(cell.replace(known, ""), /^\d+$/);
    }
  });
});
