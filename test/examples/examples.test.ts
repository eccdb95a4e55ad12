/** Every program in `examples/` runs, prints what it says, and leaves nothing behind. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readMarkdown } from "../docs/markdown.js";
import { needsLinux } from "../support/needs.js";
import { root } from "../support/repository.js";
// The examples of TLS look where this has put the certificates.
import "../support/certificates.js";
import { runExample } from "./run-example.js";

/** What each example prints that needs no other program; `null`: it does not end by itself, and has a test of its own. */
const OUTPUT: Readonly<Record<string, string | RegExp | null>> = {
  "acp.ts": "THREE SHORT WORDS (3 updates, end_turn)\n10025 characters: ...(5000 updates, end_turn)\n",
  "adapters.ts": `apple
fig
pear
1000000 bytes, upload.sock

you asked for /colours
`,
  "authorize.ts":
    /^(the server runs as user \d+\n|this process has connected as user \d+\n){2}ok: status\n(ok: stop|error: only root may do that)\n$/,
  "daemon.ts": null, // see daemon.test.ts
  "docker.ts": null, // see docker.test.ts
  "demo.ts": /^A line server listens on /, // see demo.test.ts
  "echo-tls.ts": "TLSv1.3 asyncio-streams test: server\none\ntwo\nthree\nERR_TLS_CERT_ALTNAME_INVALID\n",
  "echo-unix.ts": "one\ntwo\nthree\n",
  "framing.ts": `the sum of 1, 2, 3 is 6
the sum of 0.5, 0.25 is 0.75
50 numbers take 141 bytes: the maximum is 100
`,
  "idle-timeout.ts": `HELLO
that takes too long
HELLO
are you still there?
`,
  "imap.ts": null, // see interop/imap.test.ts
  "line-protocol.ts": `> SET colour deep blue
< OK
> GET colour
< deep blue
> GET shape
< NONE
> SING
< ERROR: no command SING
> QUIT
< (end of the connection)
`,
  "language-server.ts": "3\n1\nunknown\n0\n",
  "notify.ts": null, // see notify.test.ts
  "mcp-client.ts": `Ada reads: note 1, note 2, note 3
Bob gets: 9000000 bytes
Cyd reads: sent 1000 and received 1000
the child has 4 tools; its notes: 1
the child ended with 0
`,
  "observe.ts": `a client of observe.sock
Ada: 9 bytes in, 5000 out, fine
a client of observe.sock
Bob is slow
Bob: 12 bytes in, 5000000 out, fine
2 clients, 0 of them there; 21 bytes in, 5005000 out
`,
  "pass-file.ts": `1 here it is
the file says: welcome
0 no such file
`,
  "qmp.ts": null, // see interop/qmp.test.ts
  "redis.ts": null, // see interop/redis.test.ts
  "relay.ts": null, // see relay.test.ts
  "restart.ts": null, // see restart.test.ts
  "smtp-server.ts": null, // see interop/smtp.test.ts
  "start-tls.ts": `< 220 ready
> LOGIN me secret
< 538 not in the clear: STARTTLS first
> STARTTLS
< 220 go ahead
  (TLSv1.3)
> LOGIN me secret
< 235 welcome
`,
  "testing-kit.ts": `adds: passed
stands cuts anywhere: passed
is cut off: ECONNRESET, ECONNRESET
answers after 6000 ms: 42
`,
  "two-protocols.ts": `you ask for the weather
letter b9b2d2193e226dab
1000000 bytes are too many
1060048 bytes were sent
`,
};

/** The most lines that an example may have; 41 where nothing else is told. */
const LINES: Readonly<Record<string, number>> = {
  "acp.ts": 61,
  "adapters.ts": 61,
  "authorize.ts": 55,
  "daemon.ts": 81,
  "dbus.ts": 127,
  "demo.ts": 151,
  "docker.ts": 61,
  "docker-engine.ts": 161,
  "mcp-client.ts": 75,
  "cluster.ts": 208,
  "echo-tls.ts": 51,
  "framing.ts": 51,
  "idle-timeout.ts": 51,
  "imap.ts": 121,
  "language-server.ts": 61,
  "notify.ts": 46,
  "observe.ts": 61,
  "pass-file.ts": 58,
  "postgres.ts": 135,
  "postgres-connection.ts": 140,
  "qmp.ts": 120,
  "redis.ts": 120,
  "relay.ts": 120,
  "restart.ts": 155,
  "smtp-server.ts": 143,
  "start-tls.ts": 61,
  "testing-kit.ts": 61,
  "two-protocols.ts": 61,
};

const examples = readdirSync(join(root, "examples")).filter((name) => name.endsWith(".ts"));

/** Those that talk to a real program: a test in `interop/` imports and runs each, or another example does. */
const importers = ["test/interop", "examples"].flatMap((folder) =>
  readdirSync(join(root, folder)).map((name) => readFileSync(join(root, folder, name), "utf8")),
);
const talkToPrograms = examples.filter(
  (name) => !Object.hasOwn(OUTPUT, name) && importers.some((source) => source.includes(`/${name.replace(".ts", ".js")}"`)),
);

/** Those that a test of their own runs. */
const TESTED_ALONE = ["cluster.ts"];

/** Those that use `asyncio-streams/unix`. */
const NEED_LINUX = ["authorize.ts", "pass-file.ts"];

/** The most lines of one that talks to a program: a client of a whole protocol. */
const LINES_OF_A_CLIENT = 120;

describe("examples/", () => {
  it("are all listed in examples/README.md", () => {
    const { text } = readMarkdown("examples/README.md");
    const listed = [...text.matchAll(/\]\(([a-z-]+\.ts)\)/g)].map(([, name = ""]) => name);
    assert.deepEqual(listed.toSorted(), examples.toSorted());
  });

  it("has all of the examples that are run here or in interop/, and no others", () => {
    assert.deepEqual(examples.toSorted(), [...Object.keys(OUTPUT), ...talkToPrograms, ...TESTED_ALONE].sort());
  });

  for (const name of examples) {
    const source = readFileSync(join(root, "examples", name), "utf8");

    const expected = OUTPUT[name] ?? null;
    if (expected !== null)
      it(`prints what it says: ${name}`, NEED_LINUX.includes(name) ? needsLinux : {}, () => {
        const { stdout, stderr, status, leftovers } = runExample(name.replace(".ts", ".js"));
        assert.equal(stderr, "");
        if (typeof expected === "string") assert.equal(stdout, expected);
        else assert.match(stdout, expected);
        assert.equal(status, 0);
        assert.deepEqual(leftovers, [], "files are left in the temporary directory");
      });

    it(`opens with its purpose, its command and its output: ${name}`, () => {
      assert.match(source, /^\/\*\*\n \* \S.*\n.* \* Run it: .*\n \* You will see: .*?\n \*\/\n/s);
    });

    it(`is short: ${name}`, () => {
      assert.ok(source.split("\n").length <= (LINES[name] ?? (talkToPrograms.includes(name) ? LINES_OF_A_CLIENT : 41)));
    });
  }
});
