/** `docs/interop.md` has a row for each test that talks to a real program. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { leadingCode, readMarkdown, root } from "./markdown.js";

describe("docs/interop.md", () => {
  it("lists the tests that there are", () => {
    const files = readdirSync(join(root, "test", "interop")).filter((name) => name.endsWith(".test.ts"));
    const rows = readMarkdown("docs/interop.md").rows("The programs");
    assert.deepEqual(rows.map(([test]) => `${leadingCode(test)}.test.ts`).sort(), files.sort());
  });
});
