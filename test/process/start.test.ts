/** Starting a process: what it gets, and how a start fails. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { createSubprocessExec, createSubprocessShell, DEVNULL, PIPE, STDOUT, type SubprocessOptions } from "asyncio-streams/process";
import { needsRoot } from "../support/needs.js";
import { temporaryDirectory } from "../support/temporary.js";
import { watchedController } from "../support/watched-signal.js";

/** Says a word on each output. */
const BOTH = "echo out; echo err >&2";

/** With one pipe for both outputs, a program is started in another way. */
const ways: readonly (readonly [string, SubprocessOptions<undefined, typeof PIPE, undefined | typeof STDOUT>])[] = [
  ["with a pipe", { stdout: PIPE }],
  ["with one pipe for both outputs", { stdout: PIPE, stderr: STDOUT }],
];

for (const [name, pipes] of ways) {
  describe(`createSubprocessExec() ${name}`, () => {
    const run = async (program: string, args: readonly string[], options: SubprocessOptions = {}): Promise<string> => {
      const child = await createSubprocessExec(program, args, { ...options, ...pipes });
      return String((await child.communicate())[0]);
    };

    it("passes arguments as they are", async () => {
      const args = ["a b", "", "'\"$HOME`\\", "-n", "*", "new\nline", "grün"];
      assert.equal(await run("printf", ["[%s]", ...args]), args.map((arg) => `[${arg}]`).join(""));
    });

    it("gives the child the environment and nothing else", async () => {
      const printed = await run("/usr/bin/env", [], { env: { ONE: "1", TWO: "a b\nc", NONE: undefined } });
      // Node: passes this variable on to every child when coverage is measured.
      assert.equal(printed.replace(/^NODE_V8_COVERAGE=.*\n/m, ""), "ONE=1\nTWO=a b\nc\n");
      const odd = (await run("/usr/bin/env", [], { env: { PWD: "/odd", OLDPWD: "/x y" } })).split("\n");
      assert.deepEqual(odd.filter((line) => line.includes("PWD")).sort(), ["OLDPWD=/x y", "PWD=/odd"]);
    });

    it("searches the PATH of the child", async () => {
      const bin = temporaryDirectory();
      writeFileSync(join(bin, "my-own-program"), "#!/bin/sh\necho found $0\n", { mode: 0o755 });
      assert.equal(await run("my-own-program", [], { env: { PATH: `/nowhere:${bin}` } }), `found ${bin}/my-own-program\n`);
      await assert.rejects(run("my-own-program", [], { env: { PATH: "/nowhere" } }), { code: "ENOENT" });
      assert.equal(await run("true", [], { env: {} }), "");
      const file = join(bin, "my-own-program");
      assert.equal(await run("my-own-program", [], { env: { PATH: `${file}:${bin}` } }), `found ${bin}/my-own-program\n`);
    });

    it("goes on searching behind a directory that it may not enter", needsRoot, async () => {
      const bin = temporaryDirectory();
      mkdirSync(join(bin, "shut"), { mode: 0o700 });
      chmodSync(bin, 0o755);
      process.seteuid?.(65_534);
      try {
        assert.equal(await run("echo", ["hi"], { env: { PATH: `${bin}/shut:/bin:/usr/bin` } }), "hi\n");
        await assert.rejects(run("no-such-program", [], { env: { PATH: `${bin}/shut:/bin` } }), { code: /^(EACCES|ENOENT)$/ });
      } finally {
        process.seteuid?.(0);
      }
    });

    it("runs a relative path from the working directory of the child", async () => {
      const cwd = temporaryDirectory();
      mkdirSync(join(cwd, "bin"));
      writeFileSync(join(cwd, "bin", "here"), "#!/bin/sh\npwd\n", { mode: 0o755 });
      assert.equal(await run("bin/here", [], { cwd }), `${cwd}\n`);
      assert.equal(await run("./bin/here", [], { cwd: pathToFileURL(cwd) }), `${cwd}\n`);
    });

    for (const program of ["no-such-program", "/no/such/program", "./no-such-program"]) {
      it(`rejects for ${program}, which does not exist`, () =>
        assert.rejects(run(program, []), { code: "ENOENT", syscall: `spawn ${program}`, path: program }));
    }

    it("rejects for a file that cannot be executed, and for a directory", async () => {
      const directory = temporaryDirectory();
      writeFileSync(join(directory, "file"), "#!/bin/sh\n");
      await assert.rejects(run(join(directory, "file"), []), { code: "EACCES" });
      await assert.rejects(run("file", [], { env: { PATH: directory } }), { code: /^(EACCES|ENOENT)$/ }); // Bun and Deno go on searching
      chmodSync(join(directory, "file"), 0o755);
      assert.equal(await run(join(directory, "file"), []), "");
      await assert.rejects(run(directory, []), { code: "EACCES" });
    });

    it("rejects for a working directory that cannot be entered, and names it", async () => {
      const cwd = join(temporaryDirectory(), "none");
      const error = { syscall: "chdir", path: cwd, message: /cannot enter the working directory, chdir '.*none'$/ };
      await assert.rejects(run("true", [], { cwd }), { code: "ENOENT", ...error });
      writeFileSync(cwd, "");
      await assert.rejects(run("true", [], { cwd }), { code: "ENOTDIR", ...error });
      await assert.rejects(run("no-such-program", [], { cwd: temporaryDirectory() }), { code: "ENOENT", path: "no-such-program" });
    });

    it("rejects for arguments that the system does not take", async () => {
      await assert.rejects(run("", []), { code: "ERR_INVALID_ARG_VALUE", message: "program must not be empty" });
      await assert.rejects(run("true", [], { cwd: "" }), { code: "ERR_INVALID_ARG_VALUE", message: "cwd must not be empty" });
      await assert.rejects(run("true\0", []), { code: "ERR_INVALID_ARG_VALUE" });
      await assert.rejects(run("true", ["a\0b"]), { code: "ERR_INVALID_ARG_VALUE" });
      await assert.rejects(run("true", ["x".repeat(4_000_000)]), { code: "E2BIG" });
    });

    it("runs as another user and group", needsRoot, async () => {
      assert.equal(await run("id", ["-u"], { user: 65_534 }), "65534\n");
      assert.equal(await run("id", ["-g"], { group: 65_534 }), "65534\n");
    });
  });
}

describe("stderr: STDOUT", () => {
  it("keeps the order of what the child writes to both", async () => {
    const lines = "for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done";
    const expected = "o1\ne1\no2\ne2\no3\ne3\no4\ne4\no5\ne5\n";
    const fromShell = await createSubprocessShell(lines, { stdout: PIPE, stderr: STDOUT });
    assert.deepEqual(await fromShell.communicate(), [Buffer.from(expected), null]);
    const fromExec = await createSubprocessExec("sh", ["-c", lines], { stdout: PIPE, stderr: STDOUT });
    assert.deepEqual(await fromExec.communicate(), [Buffer.from(expected), null]);
  });

  it("keeps the process ID, so that a signal reaches the program", async () => {
    const child = await createSubprocessExec("sh", ["-c", "echo $$; exec sleep 3600"], { stdout: PIPE, stderr: STDOUT });
    assert.equal(Number(await child.stdout.readline()), child.pid);
    child.terminate();
    assert.equal(await child.wait(), -15);
  });

  it("goes to the file of standard output, or to /dev/null", async () => {
    const path = join(temporaryDirectory(), "file");
    const file = await open(path, "w");
    assert.equal(await (await createSubprocessShell(BOTH, { stdout: file, stderr: STDOUT })).wait(), 0);
    assert.equal(await (await createSubprocessShell(BOTH, { stdout: file.fd, stderr: STDOUT })).wait(), 0);
    assert.equal(await (await createSubprocessShell(BOTH, { stdout: DEVNULL, stderr: STDOUT })).wait(), 0);
    await file.close();
    assert.equal(readFileSync(path, "utf8"), "out\nerr\nout\nerr\n");
  });

  it("goes to the standard output of this process", async () => {
    assert.equal(await (await createSubprocessShell("[ /proc/self/fd/1 -ef /proc/self/fd/2 ]", { stderr: STDOUT })).wait(), 0);
  });
});

describe("a standard stream", () => {
  it("is a file that this process has open", async () => {
    const path = join(temporaryDirectory(), "file");
    writeFileSync(path, "content");
    const file = await open(path);
    const child = await createSubprocessExec("cat", [], { stdin: file, stdout: PIPE });
    assert.deepEqual(await child.communicate(), [Buffer.from("content"), null]);
    assert.equal(child.stdin, null);
    await file.close();
  });

  it("is null on the process if it is inherited", async () => {
    const child = await createSubprocessExec("true");
    assert.deepEqual([child.stdin, child.stdout, child.stderr], [null, null, null]);
    assert.deepEqual(await child.communicate(), [null, null]);
    assert.equal(child.returncode, 0);
  });

  it("cannot be a descriptor that is not open", () =>
    assert.rejects(createSubprocessExec("true", [], { stdout: 9876 }), { code: "EBADF" }));
});

describe("signal", () => {
  it("rejects if it is aborted before, and starts nothing", async () => {
    const path = join(temporaryDirectory(), "made");
    const reason = new Error("no longer needed");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(createSubprocessExec("touch", [path], { signal }), (error) => error === reason);
    await assert.rejects(createSubprocessShell(`touch ${path}`, { signal }), (error) => error === reason);
    assert.throws(() => readFileSync(path), { code: "ENOENT" });
  });

  it("starts nothing if the signal cannot be listened to", async () => {
    const file = join(temporaryDirectory(), "started");
    const signal = {
      aborted: false,
      addEventListener: () => assert.fail("a polyfill that throws"),
      removeEventListener() {},
    } as unknown as AbortSignal;
    await assert.rejects(createSubprocessShell(`echo > ${file}`, { signal }), { message: "a polyfill that throws" });
    const later = await createSubprocessShell("exit 0"); // would end after the other one
    assert.equal(await later.wait(), 0);
    assert.equal(existsSync(file), false);
  });

  it("ends the process, and the last output can be read", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const script = "trap 'echo bye; exit 3' TERM; echo on; while :; do sleep 0.05; done";
    const child = await createSubprocessShell(script, { stdout: PIPE, signal });
    await child.stdout.readline();
    controller.abort();
    assert.deepEqual([String((await child.communicate())[0]), child.returncode], ["bye\n", 3]);
  });

  it("kills a process that ignores SIGTERM, after graceMs", async () => {
    const controller = new AbortController();
    const options = { stdout: PIPE, signal: controller.signal, graceMs: 100 } as const;
    await using child = await createSubprocessShell("trap '' TERM; echo on; while :; do sleep 0.05; done", options);
    await child.stdout.readline();
    controller.abort();
    assert.equal(await child.wait(), -9);
  });

  it("is left alone once the process has ended", async () => {
    const controller = watchedController();
    const child = await createSubprocessShell("exit 4", { signal: controller.signal });
    assert.equal(controller.listeners(), 1);
    await child.wait();
    assert.equal(controller.listeners(), 0);
    controller.abort();
    assert.equal(child.returncode, 4);
  });
});

describe("an argument", () => {
  const refused: readonly (readonly [unknown, unknown, unknown, string, string?])[] = [
    [5, [], {}, "ERR_INVALID_ARG_TYPE"],
    [null, [], {}, "ERR_INVALID_ARG_TYPE"],
    [new URL("http://host/sh"), [], {}, "ERR_INVALID_URL_SCHEME"],
    ["true", "-a", {}, "ERR_INVALID_ARG_TYPE"],
    ["true", { stdout: PIPE }, undefined, "ERR_INVALID_ARG_TYPE"],
    ["true", ["a", 5], {}, "ERR_INVALID_ARG_TYPE"],
    ["true", [], 5, "ERR_INVALID_ARG_TYPE"],
    ["true", [], null, "ERR_INVALID_ARG_TYPE"],
    ["true", [], { stdin: null }, "ERR_INVALID_ARG_TYPE"],
    ["true", [], { stdin: "pipe" }, "ERR_INVALID_ARG_TYPE"],
    ["true", [], { stdin: {} }, "ERR_INVALID_ARG_TYPE"],
    ["true", [], { stdin: STDOUT }, "ERR_INVALID_ARG_VALUE"],
    ["true", [], { stdout: STDOUT }, "ERR_INVALID_ARG_VALUE"],
    ["true", [], { stdout: -4 }, "ERR_OUT_OF_RANGE"],
    ["true", [], { stderr: 1.5 }, "ERR_OUT_OF_RANGE"],
    ["true", [], { stderr: { fd: -1 } }, "ERR_OUT_OF_RANGE"],
    ["true", [], { limit: 0 }, "ERR_OUT_OF_RANGE"],
    ["true", [], { cwd: 5 }, "ERR_INVALID_ARG_TYPE"],
    ["true", [], { env: "A=1" }, "ERR_INVALID_ARG_TYPE"],
    ["true", [], { user: "root" }, "ERR_INVALID_ARG_TYPE"],
    ["true", [], { group: -1 }, "ERR_OUT_OF_RANGE"],
    ["true", [], { startNewSession: 1 }, "ERR_INVALID_ARG_TYPE"],
    ["true", [], { graceMs: -1 }, "ERR_OUT_OF_RANGE"],
    ["true", [], { signal: {} }, "ERR_INVALID_ARG_TYPE"],
    ["true", [], { shell: true }, "ERR_INVALID_ARG_VALUE"],
    ["true", [], { timeout: 5 }, "ERR_INVALID_ARG_VALUE"],
  ];
  for (const [index, [program, args, options, code]] of refused.entries()) {
    it(`that is wrong is refused before anything is started: ${index}: ${code}`, () =>
      assert.rejects(createSubprocessExec(program as string, args as string[], options as SubprocessOptions), { code }));
  }

  it("of createSubprocessShell() that is no text is refused", () =>
    assert.rejects(createSubprocessShell(["ls"] as unknown as string), { code: "ERR_INVALID_ARG_TYPE" }));
});
