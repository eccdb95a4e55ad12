/** `docs/reliability.md` lists every fault that is tested, under the name that its tests have, and no other. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root, testFile } from "../support/repository.js";
import { readMarkdown } from "./markdown.js";

/** The rows of the table: the fault, and the files that show what happens. */
const rows = readMarkdown("docs/reliability.md")
  .rows("Faults")
  .map(([fault = "", expected = "", files = ""]) => ({
    fault,
    expected,
    files: [...files.matchAll(/`([^`]+)`/g)].map(([, file]) => file as string),
  }));

/** What a test file describes. */
function described(file: string): string[] {
  const source = readFileSync(join(root, file), "utf8");
  return [...source.matchAll(/\bdescribe\(\s*(["'`])(.*?)\1/g)].map(([, , title]) => title as string);
}

const faultTests = readdirSync(testFile("faults"))
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => `test/faults/${name}`);

describe("docs/reliability.md", () => {
  for (const { fault, expected, files } of rows) {
    it(`states the required outcome, and the test, for the fault: ${fault}`, () => {
      assert.ok(expected.length > 20, "it does not say what must happen");
      assert.ok(files.length > 0, "it names no test");
      for (const file of files) {
        const titles = described(file);
        assert.ok(
          titles.some((title) => title.startsWith(fault)),
          `${file} describes only ${titles.join(", ")}`,
        );
      }
    });
  }

  for (const file of faultTests) {
    it(`has a row for all that ${file} describes`, () => {
      const faults = rows.filter(({ files }) => files.includes(file)).map(({ fault }) => fault);
      assert.deepEqual(
        described(file).filter((title) => !faults.some((fault) => title.startsWith(fault))),
        [],
      );
    });
  }
});
