/**
 * `docs/from-net.md` against Node and this library: every name of `net.Socket`, `net.Server` and `node:net` is in its tables, with the options that the
 * types of Node declare; and what stands beside it exists here.
 *
 * In a table the first cell begins with Node's name (an event's in quotes), the second with ours or with a dash where there is none.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../support/repository.js";
import { runtime } from "../support/runtime.js";
import { exportedNames, membersOf } from "./declarations.js";
import { leadingCode, readMarkdown } from "./markdown.js";

const document = readMarkdown("docs/from-net.md");
const HEADINGS = ["Functions", "Connecting", "Sockets: events", "Sockets: methods and properties", "Servers", "TLS"];

/** The name at the front of a piece of code: of `read(size)` it is `read`, of `'end'` `'end'`, of `getExtraInfo("x")` `getExtraInfo`. */
function nameIn(cell: string | undefined): string | null {
  return leadingCode(cell)?.match(/^(?:'\w+'|\w+|\[Symbol\.\w+\])/)?.[0] ?? null;
}

function namesBelow(...headings: readonly string[]): Set<string | null> {
  return new Set(headings.flatMap((heading) => document.rows(heading)).map(([node]) => nameIn(node)));
}

/** The public names of a class; those with an underscore are Node's own business. */
function publicNames(prototype: object): string[] {
  return Object.getOwnPropertyNames(prototype).filter((name) => !/^[_$]|^constructor$/.test(name));
}

const types = readFileSync(join(root, "node_modules", "@types", "node", "net.d.ts"), "utf8");

/** The options that an interface of Node's types declares itself. */
function optionsOf(name: string): string[] {
  const body = types.match(new RegExp(`interface ${name}\\b[^{]*\\{(.*?)\\n    \\}`, "s"))?.[1];
  assert.ok(body !== undefined, `@types/node has no ${name}`);
  return [...body.matchAll(/^ {8}(\w+)\??:/gm)].map((match) => match[1] as string);
}

/** The events that the types of Node declare for a class. */
function eventsOf(name: string): string[] {
  const body = types.match(new RegExp(`class ${name} [^{]*\\{(.*?)\\n    \\}`, "s"))?.[1] ?? "";
  return [...new Set([...body.matchAll(/ on\(event: "(\w+)"/g)].map((match) => `'${match[1]}'`))];
}

const CONNECTING = [
  "TcpSocketConnectOpts",
  "IpcSocketConnectOpts",
  "SocketConstructorOpts",
  "TcpNetConnectOpts",
  "ConnectOpts",
  "ServerOpts",
];

/** Of Duplex, whose methods are a matter of `node:stream`, the ones that programs with sockets use. */
const OF_DUPLEX = [
  "write",
  "end",
  "destroy",
  "cork",
  "uncork",
  "pipe",
  "unpipe",
  "unshift",
  "setEncoding",
  "isPaused",
  "iterator",
  "destroyed",
];

/** What the four entry points take as arguments of their own. */
const ARGUMENTS = ["path", "host", "port"];

const cases: readonly [what: string, names: readonly string[], headings: readonly string[]][] = [
  ["the functions and classes of node:net", publicNames(net), ["Functions"]],
  ["the options of connections", CONNECTING.flatMap(optionsOf), ["Connecting"]],
  ["the events of sockets", eventsOf("Socket"), ["Sockets: events"]],
  ["the methods and properties of sockets", [...publicNames(net.Socket.prototype), ...OF_DUPLEX], ["Sockets: methods and properties"]],
  ["the options of listen()", optionsOf("ListenOptions"), ["Servers"]],
  ["the events of servers", eventsOf("Server"), ["Servers"]],
  ["the methods and properties of servers", publicNames(net.Server.prototype), ["Servers"]],
];

// Bun and Deno have names of their own.
describe("the members of node:net in docs/from-net.md", {
  skip: runtime === "node" ? false : "the documentation is of Node's names",
}, () => {
  for (const [what, names, headings] of cases) {
    it(`are complete: ${what}`, () => {
      const told = namesBelow(...headings);
      assert.ok(names.length > 0);
      assert.deepEqual(
        names.filter((name) => !told.has(name)),
        [],
      );
    });
  }
});

describe("docs/from-net.md", () => {
  const exported = exportedNames();
  const classes = ["StreamReader", "StreamWriter", "Server", "Transport", "TransportSocket"];
  const options = exported.filter((name) => name.endsWith("Options")).flatMap((name) => membersOf(name));
  const existing = new Set([...ARGUMENTS, ...exported, ...options, ...classes.flatMap((name) => membersOf(name))]);

  for (const heading of HEADINGS) {
    it(`has names of ours that exist: ${heading}`, () => {
      const rows = document.rows(heading);
      assert.ok(rows.length > 0);
      for (const [node, here] of rows) {
        const name = nameIn(here);
        assert.ok(here === "—" || (name !== null && existing.has(name)), `${node}: ${here} does not exist`);
      }
    });

    it(`has no row twice: ${heading}`, () => {
      const names = document.rows(heading).map(([node]) => leadingCode(node));
      assert.deepEqual(names, [...new Set(names)]);
    });
  }

  it("names only extra info that exists", () => {
    const keys = new Set(membersOf("ExtraInfo"));
    const named = [...document.text.matchAll(/getExtraInfo\("(\w+)"\)/g)].map((match) => match[1] as string);
    assert.deepEqual(
      named.filter((key) => !keys.has(key)),
      [],
    );
  });
});
