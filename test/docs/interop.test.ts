/** `docs/interop.md` has a row for each test that talks to a real program. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { testFile } from "../support/repository.js";
import { leadingCode, readMarkdown } from "./markdown.js";

describe("docs/interop.md", () => {
  it("lists the tests that exist", () => {
    const files = readdirSync(testFile("interop")).filter((name) => name.endsWith(".test.ts"));
    const rows = readMarkdown("docs/interop.md").rows("The programs");
    assert.deepEqual(rows.map(([test]) => `${leadingCode(test)}.test.ts`).sort(), files.sort());
  });
});
