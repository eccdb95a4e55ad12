/** `docs/security.md` names a test for each of its promises, and these tests are there. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../support/repository.js";
import { leadingCode, readMarkdown } from "./markdown.js";

const document = readMarkdown("docs/security.md");
const rows = ["Nothing grows without bound", "Who may connect, and to whom", "Bytes stay where they belong"].flatMap((heading) =>
  document.rows(heading),
);

describe("docs/security.md", () => {
  it("makes promises", () => assert.ok(rows.length >= 20));

  for (const row of rows) {
    const promise = row[0] as string;
    it(`names an existing test: ${promise}`, () => {
      const cell = row.at(-1) as string;
      const file = leadingCode(cell);
      assert.ok(file !== null && existsSync(join(root, file)), `${file} is not there`);
      const name = cell.slice(cell.indexOf(": ") + 2);
      const titles = [...readFileSync(join(root, file), "utf8").matchAll(/\b(?:it|describe)\(\s*(["`])(.*?)\1,/gs)].map(
        ([, , title]) => title as string,
      );
      assert.ok(
        titles.some((title) => title.startsWith(name) || title.includes(name)),
        `${file} has no test "${name}"`,
      );
    });
  }
});
