/** `docs/design.md` shows every part of `src/`, and its table "Where is what" names files that exist and contain what it says. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, it } from "node:test";
import { root } from "../support/repository.js";
import { readMarkdown } from "./markdown.js";

const document = readMarkdown("docs/design.md");

/** A path from the root, as a link from docs/. */
const LINK = /^\[`([^`]+)`\]\(([^)]+)\)$/;

describe("the floors in docs/design.md", () => {
  const parts = readdirSync(join(root, "src"), { withFileTypes: true })
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .filter((name) => name !== "tsconfig.json")
    .sort();

  it("are those of src/, in the table", () => {
    const named = document.rows("Floors").flatMap(([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string));
    assert.deepEqual(named.sort(), parts);
  });

  it("are those of src/, in the picture", () => {
    const picture = readFileSync(join(root, "docs", "pictures", "floors.svg"), "utf8");
    const names = [...picture.matchAll(/<text class="name"[^>]*>([^<]+)</g)].flatMap(([, text = ""]) => text.split(/\s+/));
    assert.deepEqual(names.sort(), parts);
  });
});

describe('"Where is what" in docs/design.md', () => {
  const rows = document.rows("Where is what");

  it("has rows", () => assert.ok(rows.length >= 20));

  for (const [what = "", cell = "", mark = ""] of rows) {
    const [, path = "", target = ""] = LINK.exec(cell) ?? [];
    it(`names one file that exists: ${what}`, () => {
      assert.notEqual(path, "", `"${cell}" is not a link to one file`);
      assert.ok(existsSync(join(root, path)), `there is no ${path}`);
      assert.equal(posix.join("docs", target), path);
    });

    it(`names what that file contains: ${what}`, () => {
      const name = /^`(.+?)(?:\(\))?`$/.exec(mark)?.[1] ?? "";
      assert.notEqual(name, "", `"${mark}" is not code`);
      assert.ok(readFileSync(join(root, path), "utf8").includes(name), `${path} does not contain "${name}"`);
    });
  }
});
