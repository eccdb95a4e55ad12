/**
 * `docs/from-python.md` against this library and against CPython: every name of either is in its tables, follows the naming rule, and exists.
 *
 * In a table the first cell begins with Python's name, the second with ours or with a dash where there is none.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import * as api from "asyncio-streams";
import { StreamReader, StreamReaderProtocol, StreamWriter } from "asyncio-streams";
import { needs } from "../support/needs.js";
import { findPython } from "../support/python.js";
import { exportedNames, membersOf } from "./declarations.js";
import { leadingCode, readMarkdown } from "./markdown.js";

const document = readMarkdown("docs/from-python.md");

interface Entry {
  readonly python: string;
  /** `null` where there is no counterpart. */
  readonly here: string | null;
  readonly notes: string;
}

/** The name at the front of a piece of code: of `read(n=-1)` it is `read`. */
function nameIn(code: string | null): string | null {
  return code?.match(/^(?:\w+|\[Symbol\.\w+\])/)?.[0] ?? null;
}

function entries(heading: string): Entry[] {
  return document.rows(heading).map(([python, here, notes = ""]) => {
    const name = nameIn(leadingCode(python));
    assert.ok(name !== null, `${heading}: ${python} does not begin with a name`);
    assert.ok(here === "—" || leadingCode(here) !== null, `${heading}: ${here} is neither a name nor a dash`);
    return { python: name, here: nameIn(leadingCode(here)), notes };
  });
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

const PROTOCOL_METHODS: Readonly<Record<string, string>> = { __aiter__: "[Symbol.asyncIterator]", __aexit__: "[Symbol.asyncDispose]" };

const exported = exportedNames();
/** The names of the options: the properties of every exported interface that is called so. */
const options = [...new Set(exported.filter((name) => name.endsWith("Options")).flatMap((name) => membersOf(name)))];
const classes = ["StreamReader", "StreamWriter", "Server", "StreamReaderProtocol", "Protocol", "Transport", "TransportSocket"];
const existing = new Map<string, readonly string[]>([
  ["Functions", exported],
  ["Classes", exported],
  ...classes.map((name) => [name, membersOf(name)] as const),
  ["Keyword arguments", options],
  ["Extra info", membersOf("ExtraInfo")],
]);
const onlyHere = document.rows("Only here").map(([name, of]) => ({ name: leadingCode(name), of: leadingCode(of) ?? of ?? "" }));

/** Where the table calls something by another word than the heading above the others of its kind. */
const HEADINGS: Readonly<Record<string, string>> = { options: "Keyword arguments", "extra info": "Extra info", functions: "Functions" };

for (const [heading, names] of existing) {
  const table = entries(heading);
  describe(`docs/from-python.md, ${heading}`, () => {
    it("has rows, each once", () => {
      assert.ok(table.length > 0);
      assert.deepEqual(
        table.map(({ python }) => python),
        [...new Set(table.map(({ python }) => python))],
      );
    });

    it("has Python's names in camelCase", () => {
      for (const { python, here } of table.filter((entry) => entry.here !== null)) {
        const expected = heading === "Extra info" ? python : (PROTOCOL_METHODS[python] ?? camelCase(python));
        assert.equal(here, expected);
      }
    });

    it("has names that exist", () => {
      for (const { here } of table) if (here !== null) assert.ok(names.includes(here), `${here} does not exist`);
    });

    it("says what to do if there is no counterpart", () => {
      for (const { python, here, notes } of table) if (here === null) assert.ok(notes !== "", `${python} has no note`);
    });
  });
}

describe("docs/from-python.md, Only here", () => {
  it("has names that exist and that no table has", () => {
    for (const { name, of } of onlyHere) {
      const heading = HEADINGS[of] ?? of;
      assert.ok(existing.get(heading)?.includes(name as string), `${of} has no ${name}`);
      assert.ok(!entries(heading).some(({ here }) => here === name), `${name} of ${of} is Python's`);
    }
  });
});

describe("the public API, in docs/from-python.md", () => {
  for (const name of [...classes, "Keyword arguments", "Extra info"]) {
    it(`is complete: ${name}`, () => {
      const of = Object.keys(HEADINGS).find((word) => HEADINGS[word] === name) ?? name;
      const told = new Set([...entries(name).map(({ here }) => here), ...onlyHere.filter((one) => one.of === of).map((one) => one.name)]);
      assert.deepEqual(
        existing.get(name)?.filter((member) => !told.has(member)),
        [],
      );
    });
  }

  it("is complete: the exports", () => {
    assert.deepEqual(
      exported.filter((name) => !document.text.includes(`\`${name}\``) && !document.text.includes(`\`${name}(`)),
      [],
    );
  });

  it("has the members of the declarations", () => {
    for (const Class of [StreamReader, StreamWriter, StreamReaderProtocol]) {
      for (const member of membersOf(Class.name)) {
        const key =
          member === "[Symbol.asyncIterator]" ? Symbol.asyncIterator : member === "[Symbol.asyncDispose]" ? Symbol.asyncDispose : member;
        assert.ok(key in Class.prototype || key in Class, `${Class.name} has no ${member}`);
      }
    }
  });

  it("has the error classes of the table", () => {
    const table = document.rows("Exceptions").map(([, here]) => leadingCode(here));
    const errors = Object.entries(api).filter(([, value]) => value.prototype instanceof Error);
    assert.ok(errors.length > 0);
    for (const [name] of errors) assert.ok(table.includes(name), `${name} is missing`);
    for (const name of table) assert.ok(name === null || name in api || name in globalThis, `${name} does not exist`);
  });
});

/** Prints the public names of asyncio's streams, heading by heading. */
const PYTHON = `
import asyncio, asyncio.base_events, asyncio.trsock, asyncio.unix_events, inspect, json

def members(cls):
    special = ("__aiter__", "__anext__", "__aenter__", "__aexit__")
    return [name for name in dir(cls) if not name.startswith("_") or name in special]

def keywords(*functions):
    parameters = [p for f in functions for p in inspect.signature(f).parameters.values()]
    return [p.name for p in parameters if p.kind == p.KEYWORD_ONLY]

loop = asyncio.unix_events._UnixSelectorEventLoop
factories = [loop.create_connection, loop.create_server, loop.create_unix_connection, loop.create_unix_server]
print(json.dumps({
    "Functions": [name for name in asyncio.streams.__all__ if name.islower()] + [f.__name__ for f in factories],
    "Classes": [n for n in asyncio.streams.__all__ if not n.islower()] + list(asyncio.transports.__all__) + list(asyncio.protocols.__all__),
    "StreamReader": members(asyncio.StreamReader),
    "StreamWriter": members(asyncio.StreamWriter),
    "Server": members(asyncio.Server),
    "StreamReaderProtocol": members(asyncio.StreamReaderProtocol),
    "Protocol": members(asyncio.Protocol),
    "Transport": members(asyncio.Transport),
    "TransportSocket": members(asyncio.trsock.TransportSocket),
    "Keyword arguments": keywords(asyncio.open_connection, asyncio.start_unix_server, *factories),
}))
`;

const python = findPython();

describe("CPython's public names, in docs/from-python.md", needs(python), () => {
  const printed = python.skip === false ? execFileSync(python.binary, ["-c", PYTHON], { encoding: "utf8" }) : "{}";
  const names = JSON.parse(printed) as Record<string, readonly string[]>;
  for (const [heading, pythonNames] of Object.entries(names)) {
    it(`are complete: ${heading}`, () => {
      const told = new Set(entries(heading).map((entry) => entry.python));
      assert.deepEqual(
        pythonNames.filter((name) => !told.has(name)),
        [],
      );
    });
  }
});

/** What programs use of asyncio beside its streams. */
const REST = [
  "asyncio.run",
  "asyncio.create_task",
  "task.cancel",
  "CancelledError",
  "asyncio.gather",
  "asyncio.TaskGroup",
  "asyncio.wait_for",
  "asyncio.timeout",
  "asyncio.Queue",
  "asyncio.Event",
  "asyncio.Lock",
  "asyncio.Semaphore",
  "loop.add_signal_handler",
  "loop.run_in_executor",
];

describe("docs/from-python.md, The rest of asyncio", () => {
  const rows = document.rows("The rest of asyncio");

  for (const name of REST) {
    it(`has a row for ${name}`, () => {
      const row = rows.find(([python]) => leadingCode(python)?.split("(", 1)[0] === name);
      assert.ok(row?.[1] !== undefined && row[1] !== "—");
    });
  }

  it("has a program with its output for each recipe", () => {
    const recipes = new Set(rows.flatMap((row) => [...row.join(" ").matchAll(/\]\(#([a-z-]+)\)/g)].map(([, anchor]) => anchor)));
    assert.ok(recipes.size >= 5);
    for (const anchor of recipes) {
      const heading = document.headings.find(({ text }) => text.toLowerCase().replaceAll(" ", "-") === anchor);
      assert.ok(heading !== undefined, `there is no ${anchor}`);
      const section = document.text
        .slice(document.text.indexOf(`\n### ${heading.text}\n`))
        .split("\n##", 2)
        .join("");
      assert.match(section, /\n```ts run\n[^]*?\n```\n\n```text\n/);
    }
  });
});
