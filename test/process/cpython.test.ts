/**
 * What CPython's own `test_subprocess.py` tests, by the names that its tests have there. `docs/guide/subprocesses.md` lists all of them,
 * and `test/docs/subprocesses.test.ts` compares the list with these titles.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { createSubprocessExec, createSubprocessShell, DEVNULL, PIPE, type SubprocessOptions } from "asyncio-streams/process";

/** More than two pipes hold. */
const LARGE = Buffer.alloc(4 * 1024 * 1024, "x");

const BLOCKED = ["sleep", ["3600"]] as const;

/** Counts the bytes of its input. */
const COUNT = ["wc", ["-c"]] as const;

describe("as CPython's tests of subprocesses have it", () => {
  it("test_proc_exited: the methods throw once the process has ended", async () => {
    const child = await createSubprocessShell("exit 6");
    assert.equal(child.returncode, null);
    assert.equal(await child.wait(), 6);
    assert.equal(child.returncode, 6);
    const gone = { name: "ProcessLookupError", code: "ESRCH" };
    assert.throws(() => child.sendSignal("SIGTERM"), gone);
    assert.throws(() => child.terminate(), gone);
    assert.throws(() => child.kill(), gone);
  });

  it("test_stdin_stdout: what is written comes back", async () => {
    const child = await createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
    child.stdin.write("some data");
    await child.stdin.drain();
    child.stdin.close();
    assert.equal(String(await child.stdout.read()), "some data");
    assert.equal(await child.wait(), 0);
  });

  it("test_communicate: what is sent comes back", async () => {
    const child = await createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
    assert.deepEqual(await child.communicate("some data"), [Buffer.from("some data"), null]);
    assert.equal(child.returncode, 0);
  });

  it("test_communicate_none_input: without input, it is empty", async () => {
    const child = await createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
    assert.deepEqual(await child.communicate(), [Buffer.alloc(0), null]);
    assert.equal(child.returncode, 0);
  });

  it("test_create_subprocess_env_shell: the environment is what was asked for", async () => {
    const child = await createSubprocessShell("echo $FOO", { stdout: PIPE, env: { FOO: "bar" } });
    assert.equal(String((await child.communicate())[0]), "bar\n");
  });

  it("test_create_subprocess_env_exec: the environment is what was asked for", async () => {
    const child = await createSubprocessExec("/bin/sh", ["-c", "echo $FOO"], { stdout: PIPE, env: { FOO: "baz" } });
    assert.equal(String((await child.communicate())[0]), "baz\n");
  });

  it("test_subprocess_concurrent_wait: all who wait get the same", async () => {
    const child = await createSubprocessShell("exit 12");
    assert.deepEqual(await Promise.all([child.wait(), child.wait(), child.wait(), child.wait()]), [12, 12, 12, 12]);
  });

  it("test_shell: the status of the shell", async () => {
    assert.equal(await (await createSubprocessShell("exit 7")).wait(), 7);
  });

  it("test_start_new_session: the child leads a session of its own", async () => {
    const script = 'set -- $(cat /proc/$$/stat); shift 4; [ "$2" = $$ ] && exit 8';
    assert.equal(await (await createSubprocessShell(script, { startNewSession: true })).wait(), 8);
    assert.notEqual(await (await createSubprocessShell(script)).wait(), 8);
  });

  it("test_kill: the return code is the signal's, negative", async () => {
    const child = await createSubprocessExec(...BLOCKED);
    child.kill();
    assert.equal(await child.wait(), -9);
  });

  it("test_kill_issue43884: kill() ends a shell that waits for its child", async () => {
    await using child = await createSubprocessShell("echo on; sleep 5; sleep 5", { stdout: PIPE });
    await child.stdout.readline();
    child.kill();
    assert.equal(await child.wait(), -9);
  });

  it("test_terminate: the return code is the signal's, negative", async () => {
    const child = await createSubprocessExec(...BLOCKED);
    child.terminate();
    assert.equal(await child.wait(), -15);
  });

  it("test_send_signal: any other signal, too", async () => {
    const child = await createSubprocessShell("echo sleeping; exec sleep 3600", { stdout: PIPE });
    assert.equal(String(await child.stdout.readline()), "sleeping\n");
    child.sendSignal("SIGHUP");
    assert.equal(await child.wait(), -1);
  });

  it("test_stdin_broken_pipe: drain() rejects when the child ends before it has read all", async () => {
    const child = await createSubprocessShell("read line", { stdin: PIPE });
    child.stdin.write("\n");
    child.stdin.write(LARGE);
    await assert.rejects(child.stdin.drain(), { name: "ConnectionLostError", code: "ECONNRESET" });
    assert.equal(await child.wait(), 0);
  });

  it("test_communicate_ignore_broken_pipe: communicate() takes no offence at that", async () => {
    const child = await createSubprocessExec("true", [], { stdin: PIPE });
    assert.deepEqual(await child.communicate(LARGE), [null, null]);
    assert.equal(await child.wait(), 0);
  });

  it("test_pause_reading: no more than twice the limit and what a pipe holds is read ahead", async () => {
    await using child = await createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE, limit: 10 });
    child.stdin.write(LARGE);
    // Everything stands still: nothing reads, so the pipes fill up, and drain() waits.
    await assert.rejects(child.stdin.drain({ timeout: 300 }), { name: "TimeoutError" });
    assert.ok(child.stdout.bufferedLength > 20 && child.stdout.bufferedLength < LARGE.length / 2, String(child.stdout.bufferedLength));
    child.stdin.close();
    assert.equal((await child.stdout.read()).length, LARGE.length);
  });

  for (const [name, input] of [
    ["test_stdin_not_inheritable", "abc"],
    ["test_empty_input", ""],
  ] as const) {
    it(`${name}: the child finds the end of its input`, async () => {
      const others = await createSubprocessExec("cat", [], { stdin: PIPE, stdout: DEVNULL });
      const child = await createSubprocessExec(...COUNT, { stdin: PIPE, stdout: PIPE, stderr: PIPE });
      const [output] = await child.communicate(input);
      assert.equal(Number(output), input.length);
      assert.equal(child.returncode, 0);
      assert.equal(others.returncode, null);
      await others.communicate();
    });
  }

  it("test_devnull_input: the input is empty", async () => {
    const child = await createSubprocessExec(...COUNT, { stdin: DEVNULL, stdout: PIPE, stderr: PIPE });
    const [output] = await child.communicate();
    assert.deepEqual([Number(output), child.returncode, child.stdin], [0, 0, null]);
  });

  it("test_devnull_output: the output is null", async () => {
    const child = await createSubprocessExec(...COUNT, { stdin: PIPE, stdout: DEVNULL, stderr: PIPE });
    assert.deepEqual(await child.communicate("abc"), [null, Buffer.alloc(0)]);
    assert.deepEqual([child.returncode, child.stdout], [0, null]);
  });

  it("test_devnull_error: the error output is null", async () => {
    const child = await createSubprocessShell("cat; echo lost >&2", { stdin: PIPE, stdout: PIPE, stderr: DEVNULL });
    assert.deepEqual(await child.communicate("abc"), [Buffer.from("abc"), null]);
    assert.deepEqual([child.returncode, child.stderr], [0, null]);
  });

  it("test_cancel_process_wait: an aborted wait() leaves the process alone", async () => {
    const child = await createSubprocessExec(...BLOCKED);
    const controller = new AbortController();
    const wait = child.wait({ signal: controller.signal });
    controller.abort();
    await assert.rejects(wait, { name: "AbortError" });
    assert.equal(child.returncode, null);
    child.kill();
    assert.equal(await child.wait(), -9);
  });

  it("test_cancel_make_subprocess_transport_exec: an aborted start leaves no process", async () => {
    const controller = new AbortController();
    const start = createSubprocessExec(...BLOCKED, { signal: controller.signal });
    controller.abort();
    await assert.rejects(start, { name: "AbortError" });
    await assert.rejects(createSubprocessExec(...BLOCKED, { signal: controller.signal }), { name: "AbortError" });
  });

  it("test_close_kill_running: leaving the block of a process that runs ends it", async () => {
    let left: { readonly returncode: number | null };
    {
      await using child = await createSubprocessExec(...BLOCKED);
      left = child;
    }
    assert.equal(left.returncode, -15);
  });

  it("test_close_dont_kill_finished: leaving the block of one that has ended does not", async () => {
    await using child = await createSubprocessExec(...BLOCKED);
    child.kill();
    assert.equal(await child.wait(), -9);
  });

  for (const [name, options] of [
    ["test_popen_error", {}],
    ["test_popen_error_with_stdin_pipe", { stdin: PIPE }],
  ] as const) {
    it(`${name}: a failed start leaves no pipe behind`, async () => {
      await assert.rejects(createSubprocessExec("/etc/passwd", [], options), { code: "EACCES" });
    });
  }

  it("test_read_stdout_after_process_exit: nothing is lost, however late it is read", async () => {
    const child = await createSubprocessShell("head -c 262144 /dev/zero; exit 1", { stdout: PIPE });
    let total = 0;
    for await (const chunk of child.stdout.chunks()) {
      total += chunk.length;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(total, 262_144);
    assert.equal(await child.wait(), 1);
    assert.equal((await child.stdout.read()).length, 0);
  });

  for (const option of ["text", "encoding", "errors", "universalNewlines", "bufsize"]) {
    const options = { [option]: true } as SubprocessOptions;
    const refused = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE", message: new RegExp(`has no option "${option}"`) };
    it(`test_create_subprocess_exec_text_mode_fails: ${option} is refused`, () =>
      assert.rejects(createSubprocessExec("true", [], options), refused));
    it(`test_create_subprocess_shell_text_mode_fails: ${option} is refused`, () =>
      assert.rejects(createSubprocessShell("true", options), refused));
  }

  it("test_create_subprocess_exec_with_path: the program may be a file: URL", async () => {
    const child = await createSubprocessExec(pathToFileURL("/bin/sh"), ["-c", "exit 3"]);
    assert.equal(await child.wait(), 3);
  });

  it("test_subprocess_communicate_stdout: many at a time do not get in each other's way", async () => {
    const names = Array.from({ length: 10 }, (_, index) => `foo${index}`);
    const outputs = names.map(async (name) => (await (await createSubprocessExec("echo", [name], { stdout: PIPE })).communicate())[0]);
    assert.deepEqual(
      (await Promise.all(outputs)).map((output) => output.toString().trim()),
      names,
    );
  });
});
