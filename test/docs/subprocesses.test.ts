/** The tables about subprocesses: of CPython's tests, of its names, and of what this library has. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as subprocess from "asyncio-streams/process";
import { findPython } from "../support/python.js";
import { root } from "../support/repository.js";
import { membersOf } from "./declarations.js";
import { leadingCode, readMarkdown } from "./markdown.js";

const python = findPython();

function printed(script: string): unknown {
  return python.skip === false ? JSON.parse(execFileSync(python.binary, ["-c", script], { encoding: "utf8" })) : [];
}

/** The tests of this Python; none if it comes without its tests. */
const TESTS = `
import ast, json
try:
    import importlib.util
    path = importlib.util.find_spec("test.test_asyncio.test_subprocess").origin
    print(json.dumps([node.name for node in ast.walk(ast.parse(open(path).read())) if getattr(node, "name", "").startswith("test_")]))
except (AttributeError, ImportError):
    print("[]")
`;

const NAMES = `
import asyncio, asyncio.subprocess, inspect, json, subprocess
functions = [name for name in dir(asyncio.AbstractEventLoop) if name.startswith(("subprocess_", "connect_read_", "connect_write_"))]
own = ("args", "self")
print(json.dumps({
    "Subprocess functions": list(asyncio.subprocess.__all__) + ["PIPE", "STDOUT", "DEVNULL"] + functions,
    "Process": [name for name in dir(asyncio.subprocess.Process) if not name.startswith("_")] + ["stdin", "stdout", "stderr", "pid"],
    "Subprocess options": [name for name in inspect.signature(subprocess.Popen.__init__).parameters if name not in own] + ["limit"],
}))
`;

const rows = readMarkdown("docs/guide/subprocesses.md")
  .rows("CPython's own tests")
  .map(([test, result = ""]) => ({ test: leadingCode(test) as string, result }));
const source = readFileSync(join(root, "test", "process", "cpython.test.ts"), "utf8");
const run = new Set([...source.matchAll(/\btest_\w+/g)].map(([name]) => name));

describe("the table of CPython's tests in docs/guide/subprocesses.md", () => {
  it("has all tests of this Python", () => {
    const listed = new Set(rows.map(({ test }) => test));
    assert.deepEqual(
      (printed(TESTS) as string[]).filter((name) => !listed.has(name)),
      [],
    );
  });

  for (const { test, result } of rows) {
    it(`is true: ${test}`, () => {
      assert.match(result, /^passes|^not (applicable|possible): .{20,}/);
      assert.equal(run.has(test), result.startsWith("passes"));
    });
  }
});

describe("the tables of subprocesses in docs/from-python.md", () => {
  const document = readMarkdown("docs/from-python.md");
  const index = join(root, "dist", "process", "index.d.ts");
  const existing: Readonly<Record<string, readonly string[]>> = {
    "Subprocess functions": Object.keys(subprocess),
    Process: membersOf("Process", index),
    "Subprocess options": membersOf("SubprocessOptions", index),
  };
  const onlyHere = new Set(["stdio", "[Symbol.asyncDispose]", "graceMs", "signal"]);
  const names = printed(NAMES) as Record<string, readonly string[]>;
  const nameIn = (cell: string | undefined): string => /^\w*/.exec(leadingCode(cell) ?? "")?.[0] ?? "";

  for (const [heading, here] of Object.entries(existing)) {
    const table = document.rows(heading);
    it(`have Python's names: ${heading}`, () => {
      const told = new Set(table.map(([name]) => nameIn(name)));
      assert.deepEqual(
        (names[heading] ?? []).filter((name) => !told.has(name) && name !== "Process"),
        [],
      );
    });

    it(`have the names of this library, and no others: ${heading}`, () => {
      const told = table.map(([, name]) => nameIn(name)).filter((name) => name !== "");
      assert.deepEqual(told.toSorted(), here.filter((name) => !onlyHere.has(name)).toSorted());
    });

    it(`say what to do without a counterpart: ${heading}`, () => {
      for (const [name, counterpart, note = ""] of table) assert.ok(nameIn(counterpart) !== "" || note !== "", name);
    });
  }
});
