/** Plain words: patterns that make a reader stop, and lines that are too long, are refused in `src/` and in the documentation. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../support/repository.js";
import { documents } from "./markdown.js";

/** Each with what to write in its place. CONTRIBUTING.md has the glossary. */
const RIDDLES: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\b(nobody|somebody)\b/i, "the caller, the peer, the program"],
  [/\b(told|tells?|hears?) of\b/i, "reports, is notified of"],
  [/\b(comes?|came) of\b/i, "the result, the outcome"],
  [/\bwhat becomes\b/i, "see the file that decides it"],
  [/\bby all experience\b/i, "the measurement"],
  [/\bnot to be had\b/i, "not available"],
];

/** The formatter's line length, which it does not apply to comments and prose. */
const MOST_COLUMNS = 140;

function filesBelow(directory: string, suffix: string): string[] {
  return readdirSync(join(root, directory), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(directory, name));
}

const pages = documents();
const sources = filesBelow("src", ".ts");

const linesOf = (file: string): string[] => readFileSync(join(root, file), "utf8").split("\n");

/** Prose without what stands in backticks. */
const withoutCode = (line: string): string => line.replaceAll(/`[^`]*`/g, "");

/** The lines of a page outside its code blocks. */
function proseOf(file: string): (readonly [line: string, number: number])[] {
  let isCode = false;
  return linesOf(file).flatMap((line, index) => {
    if (/^\s*```/.test(line)) {
      isCode = !isCode;
      return [];
    }
    return isCode ? [] : [[line, index + 1] as const];
  });
}

describe("the words of", () => {
  for (const file of [...pages, ...sources]) {
    it(`${file} are plain`, () => {
      const lines = file.endsWith(".md") ? proseOf(file) : linesOf(file).map((line, index) => [line, index + 1] as const);
      const found = lines.flatMap(([line, number]) =>
        RIDDLES.filter(([pattern]) => pattern.test(withoutCode(line))).map(
          ([, instead]) => `${file}:${number}: ${line.trim()} -- write: ${instead}`,
        ),
      );
      assert.deepEqual(found, []);
    });
  }

  it("none is longer than the formatter's lines, but for tables and addresses", () => {
    const isExempt = (line: string): boolean => /^\s*\||https?:\/\/|^<|^\[!\[/.test(line);
    const found = [...pages, ...sources].flatMap((file) =>
      (file.endsWith(".md") ? proseOf(file) : linesOf(file).map((line, index) => [line, index + 1] as const))
        .filter(([line]) => line.length > MOST_COLUMNS && !isExempt(line))
        .map(([, number]) => `${file}:${number}`),
    );
    assert.deepEqual(found, []);
  });
});
