/**
 * The floors of the house, as data. This is a statement of policy: a change here is a change of design, and belongs into docs/design.md.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Import, sourceFiles } from "./source-files.js";

/** Each room with its floor. A file may import from its own room and from rooms on lower floors: never up, never from a room beside it. */
const FLOORS: Readonly<Record<string, number>> = {
  command: 7,
  "index.ts": 6,
  "open.ts": 5,
  "serve.ts": 5,
  "copy.ts": 5,
  "duplex.ts": 5,
  unix: 5,
  framing: 4,
  net: 4,
  process: 4,
  testing: 4,
  transports: 3,
  streams: 3,
  core: 2,
  contracts: 1,
  adapters: 1,
  base: 0,
};

/** What each room may import from the platform; `*`: anything. Types count, too. */
const PLATFORM: Readonly<Record<string, readonly string[]>> = {
  command: ["node:fs", "node:os", "node:path", "node:util"],
  "index.ts": [],
  "open.ts": [],
  "serve.ts": [],
  "copy.ts": [],
  "duplex.ts": ["node:stream"],
  unix: ["koffi", "node:async_hooks", "node:net", "node:util", "node:worker_threads"],
  framing: [],
  net: ["*"],
  process: ["node:child_process", "node:fs", "node:os", "node:path", "node:stream", "node:url"],
  testing: ["node:assert/strict"],
  transports: [
    "node:async_hooks",
    "node:crypto",
    "node:diagnostics_channel",
    "node:fs",
    "node:module",
    "node:net",
    "node:os",
    "node:stream",
    "node:tls",
    "node:url",
    "node:util",
  ],
  streams: ["node:stream"],
  core: [],
  contracts: ["node:tls"],
  adapters: ["node:stream"],
  base: ["node:async_hooks", "node:timers", "node:util"],
};

/** The longest that a file may be. A longer one is two things, and is divided where they meet. */
const MAX_LINES = 400;
/** What the command may import of the library: it is a program like those of our users. */
const PUBLIC_ENTRIES: ReadonlySet<string> = new Set(["index.ts", "process/index.ts", "unix/index.ts"]);

/** The only package that may be imported, and only when the program asks for it: `import("koffi")`. */
const OPTIONAL_PEER = "koffi";

/** The only files that may drive a socket, or make one. */
const MAY_IMPORT_NET_AS_A_VALUE = [
  "net/",
  "unix/poller.ts",
  "transports/tls-handshake.ts",
  "transports/handle-wire.ts",
  "transports/stream-handle.ts",
];

/** What `base/scheduling.ts` has under the name that it has elsewhere. */
const SCHEDULERS = /\b(?<!\.)(setTimeout|clearTimeout|setImmediate|queueMicrotask|nextTick)\b/g;

/** Ways past it. */
const PAST = /\b(?:globalThis\.set\w+|set(?:Interval)\(|process\.nextTick|Date\.now|new Date\(|performance\.now)|"node:timers[^"]*"/g;

/**
 * How often each file calls what may take memory from Node's pool. None of the results is kept or handed out: they are copied, compared,
 * or written in the same turn. What is kept is made by `constant()` or `ownCopy()`.
 */
const POOL_USES: Readonly<Record<string, number>> = {
  "base/arguments.ts": 2, // a view, and text that its caller copies
  "base/memory.ts": 1, // constant() copies it
  "framing/codec.ts": 1, // a short frame, which write() copies
  "framing/content-length.ts": 1, // made text
  "framing/counted.ts": 1, // a view, for a message
  "framing/delimiter.ts": 1, // searched
  "framing/length-prefixed.ts": 2, // headers, which write() copies
  "net/descriptor.ts": 1, // made text
  "unix/credentials.ts": 1, // made text
  "unix/system.ts": 1, // copied
  "net/proxy-protocol/send-header.ts": 1, // made text
  "net/proxy-protocol/tlv.ts": 8, // copied by checkSendProxyHeader()
  "net/proxy-protocol/version-1.ts": 2, // likewise
  "net/proxy-protocol/version-2.ts": 4, // likewise
  "net/socket-file/directory.ts": 4, // copied by ownCopy()
  "net/socket-file/unix-path.ts": 6, // copied by textIfUtf8()
  "streams/start-tls.ts": 1, // copied by ownCopy()
  "streams/taker.ts": 1, // copied by ownCopy()
  "transports/tls-hooks.ts": 1, // a view of the program's key
};

function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\/|\/\/.*/g, "");
}

function schedulingComplaints(file: string, text: string): string[] {
  const code = withoutComments(text);
  const imported = /import \{([^}]*)\} from "[^"]*base\/scheduling\.js";|import \{([^}]*)\} from "\.\/scheduling\.js";/.exec(code);
  const names = (imported?.[1] ?? imported?.[2] ?? "").split(",").map((name) => name.trim());
  const past = [...code.matchAll(PAST)].map(([found]) => found);
  const used = past.length > 0 ? [] : [...code.matchAll(SCHEDULERS)].map(([found]) => found).filter((name) => !names.includes(name));
  return [...new Set([...past, ...used])].map((found) => `${file}: ${found}`);
}

function room(file: string): string {
  return file.includes("/") ? (file.split("/", 1)[0] as string) : file;
}

function complaint(file: string, { target, isType }: Import): string | null {
  const from = room(file);
  const allowed = PLATFORM[from] ?? [];
  if (target.startsWith("node:")) {
    if (!allowed.includes("*") && !allowed.includes(target)) return `${file} imports ${target}`;
    if (target === "node:net" && !isType && !MAY_IMPORT_NET_AS_A_VALUE.some((prefix) => file.startsWith(prefix)))
      return `${file} makes sockets`;
    return null;
  }
  if (target === OPTIONAL_PEER && allowed.includes(target)) return null;
  if (!target.endsWith(".ts")) return `${file} imports ${target}, and there are no dependencies at run time`;
  const to = room(target);
  if (!(to in FLOORS)) return `${file} imports ${target}, whose room has no floor`;
  if (from === "command" && to !== from && !PUBLIC_ENTRIES.has(target)) return `${file} imports ${target}, which is no public entry`;
  if (from !== to && (FLOORS[to] as number) >= (FLOORS[from] as number)) return `${file} imports ${target}, which is not below it`;
  return null;
}

describe("floors", () => {
  const files = sourceFiles();

  it("has a floor for every file", () => {
    assert.deepEqual(
      [...files.keys()].filter((file) => !(room(file) in FLOORS)),
      [],
    );
  });

  it("imports only downward, and from the platform only what its folder may", () => {
    const complaints = [...files].flatMap(([file, { imports }]) =>
      imports.map((one) => complaint(file, one)).filter((text) => text !== null),
    );
    assert.deepEqual(complaints, []);
  });

  it("loads the optional peer only on demand, and no other file needs it", () => {
    const naming = [...files].filter(([, { text }]) => /^import (?!type).* from "koffi"/m.test(text));
    assert.deepEqual(naming, []);
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const { target } of files.get(file)?.imports ?? []) visit(target);
    };
    for (const entry of ["index.ts", "framing/index.ts", "process/index.ts", "testing/index.ts"]) visit(entry);
    assert.deepEqual(
      [...reached].filter((file) => room(file) === "unix" || file === OPTIONAL_PEER),
      [],
    );
  });

  it("has no cycles", () => {
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      assert.ok(!path.includes(file), `a cycle: ${[...path, file].join(" -> ")}`);
      if (done.has(file)) return;
      for (const { target } of files.get(file)?.imports ?? []) if (target.endsWith(".ts")) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files.keys()) visit(file, []);
  });

  it("reports an import that points upward, one from the same floor, and one of the platform", () => {
    const value = (target: string): Import => ({ target, isType: false });
    assert.match(complaint("base/limits.ts", value("streams/reader.ts")) ?? "", /not below it/);
    assert.match(complaint("streams/reader.ts", value("transports/socket.ts")) ?? "", /not below it/);
    assert.match(complaint("streams/reader.ts", value("node:net")) ?? "", /imports node:net/);
    assert.match(complaint("net/connect.ts", value("left-pad")) ?? "", /no dependencies/);
    assert.match(complaint("net/connect.ts", value("koffi")) ?? "", /no dependencies/);
    assert.equal(complaint("unix/libc.ts", value("koffi")), null);
    assert.match(complaint("command/connect.ts", value("net/connect.ts")) ?? "", /no public entry/);
    assert.match(complaint("index.ts", value("command/main.ts")) ?? "", /not below it/);
    assert.match(complaint("transports/socket.ts", value("node:net")) ?? "", /makes sockets/);
  });
});

describe("source files", () => {
  const files = [...sourceFiles()];

  it("open with a comment that says what they are", () => {
    assert.deepEqual(
      files.filter(([, { text }]) => !text.replace(/^#!.*\n/, "").startsWith("/**")).map(([file]) => file),
      [],
    );
  });

  it("have at most 400 lines, so that one reading holds the file", () => {
    const lengths = files.map(([file, { text }]) => [file, text.split("\n").length - 1] as const);
    assert.deepEqual(
      lengths.filter(([, lines]) => lines > MAX_LINES),
      [],
    );
  });

  it("are named after their contents, in kebab-case", () => {
    const vague = /(^|\/)(utils?|helpers?|common|misc)(\.ts|\/)/;
    assert.deepEqual(
      files.map(([file]) => file).filter((file) => vague.test(file) || !/^[a-z0-9/-]+\.ts$/.test(file)),
      [],
    );
  });

  it("use isError(), because an error of another realm is no instanceof Error", () => {
    const asking = files.filter(([, { text }]) => /\binstanceof Error\b/.test(text)).map(([file]) => file);
    assert.deepEqual(asking.sort(), ["base/arguments.ts", "base/errors.ts"]);
  });

  it("test bytes, promises and URLs by an internal slot or a method, because an object of another realm is no instance of ours", () => {
    const asking = files.filter(([, { text }]) => /\binstanceof (?:Uint8Array|ArrayBuffer|Promise|URL|Date|AbortSignal)\b/.test(text));
    assert.deepEqual(
      asking.map(([file]) => file),
      [],
    );
  });

  it("schedule through base/scheduling.ts, because a test may replace the platform's functions; the command runs in no test", () => {
    const complaints = files
      .filter(([file]) => file !== "base/scheduling.ts" && room(file) !== "command")
      .flatMap(([file, { text }]) => schedulingComplaints(file, text));
    assert.deepEqual(complaints, []);
  });

  it("are reported if they schedule without base/scheduling.ts", () => {
    const imported = 'import { setTimeout } from "../base/scheduling.js";\n';
    assert.deepEqual(schedulingComplaints("a.ts", `${imported}const timer = setTimeout(end, 5);`), []);
    assert.deepEqual(schedulingComplaints("a.ts", "/** Not `setTimeout(end, 5)`. */\n// nor Date.now()"), []);
    for (const code of [
      "setTimeout(end, 5);",
      `${imported}setImmediate(end);`,
      `${imported}globalThis.setTimeout(end, 5);`,
      "const later = queueMicrotask;",
      "process.nextTick(end);",
      "const { nextTick } = process;",
      "const now = Date.now();",
      "const now = new Date();",
      "const now = performance.now();",
      'import { setTimeout } from "node:timers/promises";',
    ]) {
      assert.equal(schedulingComplaints("a.ts", code).length, 1, code);
    }
  });

  it("use Node's pool of short buffers only for bytes that are not kept, because a program can detach the pool", () => {
    const pooled = /\bBuffer\.(?:from|of|concat|allocUnsafe)\(/g;
    const found = files.map(([file, { text }]) => [file, [...withoutComments(text).matchAll(pooled)].length] as const);
    assert.deepEqual(Object.fromEntries(found.filter(([file, count]) => count > 0 && room(file) !== "testing")), POOL_USES);
  });

  it("keep their privacy without leading underscores", () => {
    const underscored = /\b(?:this|private|protected|public|readonly)[. ]_[a-z]/;
    assert.deepEqual(
      files.filter(([, { text }]) => underscored.test(text)).map(([file]) => file),
      [],
    );
  });
});
