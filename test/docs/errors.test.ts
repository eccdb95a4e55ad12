/** `docs/errors.md` has a heading for each code that the library makes, and for no other. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as api from "asyncio-streams";
import { root } from "../support/repository.js";
import { readMarkdown } from "./markdown.js";

const document = readMarkdown("docs/errors.md");
const documented = document.headings
  .filter(({ level, text }) => level === 3 && /^`(?:[A-Z_]+|TimeoutError)`$/.test(text))
  .map(({ text }) => text.slice(1, -1));

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({ name, text: readFileSync(join(root, "src", name), "utf8") }));

/** Every code that the source has as a literal, with the file that makes it. */
const made = sources.flatMap(({ name, text }) =>
  [/\bcode(?: =|:) "([A-Z_]+|TimeoutError)"/g, /\bsystemError\(\s*"([A-Z_]+)"/g].flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({ name, code: match[1] as string })),
  ),
);

/** The exported classes, made with arguments that each of them takes. */
const classes = Object.values(api as Record<string, unknown>)
  .filter((value): value is new (first: never, second: never) => Error & { code: string } => {
    return typeof value === "function" && value.prototype instanceof Error;
  })
  .map((ErrorClass) => new ErrorClass(Buffer.alloc(0) as never, 0 as never));

/** Errors made of a class of JavaScript's, with what stands before and behind; not those in examples, nor what the conformance suite throws on purpose. */
const bare = sources
  .filter(({ name }) => !/\bchecks-\w+\.ts$/.test(name))
  .flatMap(({ name, text }) =>
    [...text.matchAll(/^(?! *\*).*\bnew (?:Aggregate|Range|Type)?Error\(/gm)].map(({ 0: line, index }) => ({
      name,
      line: line.trim(),
      before: text.slice(0, index) + line.replace(/\bnew \w*Error\($/, ""),
      behind: text.slice(index, index + 500),
    })),
  );

describe("an error of a JavaScript class", () => {
  for (const { name, line, before, behind } of bare) {
    it(`is given a code: ${name}: ${line}`, () => {
      const isGivenOne =
        before.trimEnd().endsWith("Object.assign(") || (before.endsWith("const error = ") && behind.includes("Object.assign(error, "));
      assert.ok(isGivenOne, "Object.assign() is how it gets one");
    });
  }
});

describe("docs/errors.md", () => {
  it("is held against the source", () => {
    assert.ok(classes.length >= 7 && bare.length >= 7);
    assert.ok(made.some(({ name, code }) => name.endsWith("arguments.ts") && code === "ERR_OUT_OF_RANGE"));
    assert.ok(made.some(({ code }) => code === "EADDRINUSE"));
  });

  for (const { name, code } of made) {
    it(`explains ${code}, which ${name} makes`, () => assert.ok(documented.includes(code)));
  }

  for (const error of classes) {
    it(`names ${error.name} with its code in the table`, () => {
      const row = document.rows("Errors").find(([name]) => name === `\`${error.name}\``);
      assert.ok(row?.[1]?.includes(`\`${error.code}\``), `there is no row for ${error.name} with ${error.code}`);
    });
  }

  it("explains only codes that exist", () => {
    const codes = new Set(made.map(({ code }) => code));
    assert.deepEqual(
      documented.filter((code) => !codes.has(code)),
      [],
    );
  });

  it("links each code to its heading", () => {
    const linked = [...document.text.matchAll(/\[`([A-Z_]+|TimeoutError)`\]\(#([a-z_]+)\)/g)].map((match) => [match[1], match[2]]);
    assert.deepEqual(new Set(linked.map(([code]) => code)), new Set(documented));
    for (const [code, anchor] of linked) assert.equal(anchor, code?.toLowerCase());
  });
});
