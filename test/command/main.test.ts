/** The command as a whole: help, version, wrong usage, and that its page describes every option. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CONNECT_OPTIONS, connect } from "#src/command/connect.js";
import { DOCTOR_OPTIONS, doctor } from "#src/command/doctor.js";
import { UsageError } from "#src/command/failure.js";
import { HELP } from "#src/command/help.js";
import { SERVE_OPTIONS, serve } from "#src/command/serve.js";
import { TAP_OPTIONS, tap } from "#src/command/tap.js";
import { certificateFile, keyFile } from "../support/certificates.js";
import { root } from "../support/repository.js";
import { failure, run } from "./running.js";

const SUBCOMMANDS = { connect, serve, tap, doctor };
const OPTIONS = { connect: CONNECT_OPTIONS, serve: SERVE_OPTIONS, tap: TAP_OPTIONS, doctor: DOCTOR_OPTIONS };

describe("asyncio-streams", () => {
  it("explains itself on standard error without arguments, which is wrong usage", async () => {
    const { code, stdout, stderr } = await run([]);
    assert.deepEqual([code, String(stdout)], [2, ""]);
    assert.equal(stderr, `${HELP[""]}\n`);
  });

  it("prints its version", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    for (const option of ["--version", "-V"]) assert.equal(String((await run([option])).stdout), `${version}\n`);
  });

  for (const args of [["--help"], ["-h"], ["help"]]) {
    it(`prints its help: ${args.join(" ")}`, async () => {
      const { code, stdout } = await run(args);
      assert.deepEqual([code, String(stdout)], [0, `${HELP[""]}\n`]);
    });
  }

  for (const name of Object.keys(OPTIONS)) {
    it(`prints the help of ${name} on request`, async () => {
      for (const args of [
        [name, "--help"],
        [name, "-h"],
        ["help", name],
        [name, "--unknown", "--help"],
      ]) {
        const { code, stdout } = await run(args);
        assert.deepEqual([code, String(stdout)], [0, `${HELP[name]}\n`], args.join(" "));
      }
    });
  }

  it("names the subcommand that was probably meant", async () => {
    assert.equal(await failure(2, ["conect"]), "there is no subcommand conect; did you mean connect? (asyncio-streams --help lists all)");
    assert.equal(await failure(2, ["--verson"]), "there is no option --verson; did you mean --version? (asyncio-streams --help lists all)");
    assert.equal(await failure(2, ["toString"]), "there is no subcommand toString (asyncio-streams --help lists all)");
    assert.match(await failure(2, ["help", "tab"]), /did you mean tap\?/);
  });

  it("does not take --help behind -- for its own", async () => {
    assert.match(await failure(127, ["serve", "x.sock", "--", "no-such-command", "--help"]), /cannot find the command no-such-command/);
  });
});

/** Wrong command lines, each with its message. All of them are refused before anything is opened. */
const REFUSED: readonly (readonly [name: keyof typeof SUBCOMMANDS, args: readonly string[], message: RegExp])[] = [
  ["serve", ["--max-connexions", "3"], /^serve has no option --max-connexions; did you mean --max-connections\?/],
  ["connect", ["--tim", "3"], /did you mean --timeout\?/],
  ["connect", ["-x"], /^connect has no option -x \(asyncio-streams connect --help lists all\)$/],
  ["connect", ["a", "--timeout", "soon"], /^--timeout must be a number of seconds from 0.001 to 2147483, not "soon"$/],
  ["connect", ["a", "--timeout", "-1"], /not "-1"$/],
  ["connect", ["a", "--timeout", "0"], /not "0"$/],
  ["connect", ["a", "--timeout"], /^--timeout needs a value$/],
  ["connect", ["a", "--timeout="], /^--timeout needs a value$/],
  ["connect", ["a", "--hex=1"], /^--hex takes no value, but got "1"$/],
  ["connect", ["a:1", "--starttls", "smpt"], /^--starttls must be one of smtp, .*, not "smpt"; did you mean smtp\?$/],
  ["connect", [], /connect needs an ADDRESS/],
  ["connect", ["a", "b"], /connect takes one ADDRESS, but got "b", too/],
  ["connect", ["a", "--", "b"], /connect takes one ADDRESS, but got "b", too/],
  ["connect", ["--insecure", "a:1"], /--insecure is only meaningful with TLS/],
  ["connect", ["--starttls", "smtp", "tls://a:1"], /exclude each other/],
  ["connect", ["--starttls", "smtp", "a.sock"], /needs --servername NAME/],
  ["connect", ["--cert", certificateFile("client"), "tls://a:1"], /given together/],
  ["serve", ["a", "--echo", "--mode", "999"], /^--mode must be three octal digits such as 660, not "999"$/],
  ["serve", ["a", "--echo", "--max-connections", "0"], /whole number of at least 1, not "0"$/],
  ["serve", [], /serve needs an ADDRESS/],
  ["serve", ["a", "cat"], /write -- before the COMMAND$/],
  ["serve", ["a"], /serve needs -- and a COMMAND, or --echo/],
  ["serve", ["a", "--echo", "--", "cat"], /exclude each other/],
  ["serve", ["--mode", "660", "--echo", "a:1"], /--mode is only meaningful with the path of a Unix socket, not with "a:1"/],
  ["serve", ["--echo", "tls://localhost:0"], /listening on tls:\/\/ needs --cert FILE and --key FILE/],
  ["serve", ["--echo", "a:0", "--cert", certificateFile("server"), "--key", keyFile("server")], /only meaningful with tls:/],
  ["tap", ["--json", "a"], /^tap needs TARGET: asyncio-streams tap LISTEN TARGET$/],
  ["tap", ["--json", "--in-place"], /^tap needs PATH: asyncio-streams tap --in-place PATH$/],
  ["tap", ["--json", "a", "b", "c"], /^too many arguments, from "c" on: /],
  ["tap", ["--only", "both", "a", "b"], /--only must be one of in, out, not "both"/],
  ["tap", ["--json", "--in-place", "--mode", "600", "a"], /--mode has no meaning with --in-place/],
  ["tap", ["--json", "--in-place", "localhost:80"], /--in-place needs the path of a Unix socket, not "localhost:80"/],
  ["doctor", [], /doctor needs the PATH/],
  ["doctor", ["a", "b"], /doctor takes one PATH, but got "b", too/],
  ["doctor", ["localhost:80"], /doctor examines the path of a Unix socket, not "localhost:80"/],
  ["doctor", ["@name"], /doctor examines the path of a Unix socket, not "@name"/],
];

describe("a wrong command line", () => {
  for (const [name, args, message] of REFUSED) {
    it(`is refused: ${name} ${args.join(" ").replaceAll(root, "")}`, async () => {
      await assert.rejects(SUBCOMMANDS[name](args), (error: unknown) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, message);
        assert.equal(error.exitCode, 2);
        return true;
      });
    });
  }
});

describe("the help and docs/command.md", () => {
  const page = readFileSync(join(root, "docs/command.md"), "utf8");

  for (const [name, options] of Object.entries(OPTIONS)) {
    it(`describe every option of ${name}`, () => {
      const section = new RegExp(`^## ${name}\\b[^]*?(?=^## |$(?![^]))`, "m").exec(page)?.[0] ?? "";
      const shared = /^## TLS\b[^]*?(?=^## |$(?![^]))/m.exec(page)?.[0] ?? "";
      for (const option of Object.keys(options)) {
        assert.match(HELP[name] ?? "", new RegExp(`--${option}\\b`), option);
        assert.match(section + shared, new RegExp(`\`--${option}\\b`), option);
      }
    });
  }

  it("have no line that a terminal would break", () => {
    for (const [name, text] of Object.entries(HELP)) {
      assert.deepEqual(
        text.split("\n").filter((line) => line.length > 140),
        [],
        name,
      );
    }
  });
});
