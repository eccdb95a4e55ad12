/** Links inside the repository lead somewhere: to a file, and to a heading where they name one. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../support/repository.js";
import { documents, readMarkdown } from "./markdown.js";

/** A heading's anchor, as GitHub makes it. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");
}

for (const path of documents()) {
  describe(`links in ${path}`, () => {
    const { text } = readMarkdown(path);
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string).filter((target) => !/^https?:/.test(target));

    it("lead to files and headings that exist", () => {
      for (const target of targets) {
        const [file, heading] = target.split("#", 2) as [string, string?];
        const document = file === "" ? path : join(dirname(path), file);
        assert.ok(existsSync(join(root, document)), `${target}: there is no ${document}`);
        if (heading === undefined) continue;
        const anchors = readMarkdown(document).headings.map((one) => anchor(one.text));
        assert.ok(anchors.includes(heading), `${target}: ${document} has no such heading`);
      }
    });
  });
}
