/** What is left out of the measured coverage is left out for a reason. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sourceFiles } from "./source-files.js";

/** Every comment that has to do with it. */
const hints = [...sourceFiles()].flatMap(([file, { text }]) =>
  text
    .split("\n")
    .flatMap((line, index) => (/\b(?:c8|v8|istanbul) ignore\b/.test(line) ? [{ at: `${file}:${index + 1}`, hint: line.trim() }] : [])),
);

describe("a line that coverage leaves out", () => {
  it("is known", () => assert.ok(hints.length > 0));

  for (const { at, hint } of hints) {
    it(`has a reason, or ends what has one: ${at}`, () => {
      assert.match(hint, /^\/\* c8 ignore (?:(?:next(?: \d+)?|start) -- \S.{2,} |stop )\*\/$/);
    });
  }
});
