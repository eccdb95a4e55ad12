/** A process that runs: its pipes, its end, and what its grandchildren do to both. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { StreamReader } from "asyncio-streams";
import { createSubprocessExec, createSubprocessShell, DEVNULL, PIPE, type Process } from "asyncio-streams/process";
import { needs } from "../support/needs.js";
import { findPython } from "../support/python.js";
import { cannot } from "../support/runtime.js";
import { temporaryDirectory } from "../support/temporary.js";
import { isSettled, until } from "../support/turns.js";

const LARGE = Buffer.alloc(4 * 1024 * 1024, "x");

/** Says "on" and ignores SIGTERM. */
const DEAF = "trap '' TERM; echo on; while :; do sleep 0.05; done";

const python = findPython();

/** Waits until a process that this one did not start has ended. */
function gone(pid: number): Promise<void> {
  return until(() => {
    try {
      return !process.kill(pid, 0);
    } catch {
      return true;
    }
  });
}

describe("communicate()", () => {
  it("does not stand still when all three pipes are full", async () => {
    const script = "head -c 4000000 /dev/zero >&2 & cat; wait";
    const child = await createSubprocessShell(script, { stdin: PIPE, stdout: PIPE, stderr: PIPE });
    const [output, errors] = await child.communicate(LARGE);
    assert.deepEqual([output.length, errors.length, child.returncode], [LARGE.length, 4_000_000, 0]);
  });

  it("gives back what it has read when it is aborted, and goes on when it is called again", async () => {
    const script = "echo err >&2; exec 2>&-; echo out; read line; echo $line";
    const child = await createSubprocessShell(script, { stdin: PIPE, stdout: PIPE, stderr: PIPE });
    await until(() => child.stderr.atEof() || (child.stderr.bufferedLength > 0 && child.stdout.bufferedLength > 0));
    child.stdin.write("more\n");
    const controller = new AbortController();
    const aborted = child.communicate(undefined, { signal: controller.signal });
    controller.abort(new Error("not now"));
    await assert.rejects(aborted, { message: "not now" });
    assert.deepEqual(await child.communicate(), [Buffer.from("out\nmore\n"), Buffer.from("err\n")]);
  });

  it("gives back the output that has ended when the other one has not", async () => {
    const child = await createSubprocessShell("echo err >&2; exec 2>&-; echo out; sleep 0.6; echo more", { stdout: PIPE, stderr: PIPE });
    await assert.rejects(child.communicate(undefined, { timeout: 200 }), { name: "TimeoutError" });
    assert.deepEqual(await child.communicate(), [Buffer.from("out\nmore\n"), Buffer.from("err\n")]);
  });

  it("may be called again after the end, and returns nothing more", async () => {
    const child = await createSubprocessShell("cat", { stdin: PIPE, stdout: PIPE });
    assert.deepEqual(await child.communicate("a"), [Buffer.from("a"), null]);
    assert.deepEqual(await child.communicate("b"), [Buffer.alloc(0), null]);
  });

  it("refuses input without a pipe for it, and what is no input", async () => {
    const child = await createSubprocessShell("cat", { stdin: PIPE, stdout: PIPE });
    await assert.rejects(child.communicate(5 as unknown as string), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(child.communicate("a", { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.deepEqual(await child.communicate("a"), [Buffer.from("a"), null]);
    const other = await createSubprocessShell("exit 0");
    await assert.rejects(other.communicate("a"), { code: "ERR_INVALID_ARG_VALUE" });
    await other.wait();
  });

  it("rejects while another read waits, which goes on", async () => {
    const child = await createSubprocessShell("read line; echo $line", { stdin: PIPE, stdout: PIPE });
    const line = child.stdout.readline();
    await assert.rejects(child.communicate("text\n"), { code: "ERR_CONCURRENT_READ" });
    assert.equal(String(await line), "text\n");
    assert.equal(await child.wait(), 0);
  });
});

describe("communicate() that fails because an output is being read", () => {
  for (const [busy, free] of [
    ["stderr", "stdout"],
    ["stdout", "stderr"],
  ] as const) {
    it(`takes nothing of ${free} while ${busy} is read`, async () => {
      const script = "read line; echo out; echo err >&2";
      const child = await createSubprocessShell(script, { stdin: PIPE, stdout: PIPE, stderr: PIPE });
      const reading = child[busy].readline();
      await assert.rejects(child.communicate("go\n"), { code: "ERR_CONCURRENT_READ" });
      const words = { stdout: "out\n", stderr: "err\n" };
      assert.equal(String(await child[free].readline()), words[free]);
      assert.equal(String(await reading), words[busy]);
      assert.equal(await child.wait(), 0);
    });
  }
});

describe("wait()", () => {
  it("returns the same to all who wait, and to those who come later", async () => {
    const child = await createSubprocessShell("exit 5");
    assert.deepEqual(await Promise.all([child.wait(), child.wait(), child.wait()]), [5, 5, 5]);
    assert.equal(await child.wait(), 5);
    await assert.rejects(child.wait({ signal: AbortSignal.abort(new Error("no")) }), { message: "no" });
    await assert.rejects(child.wait({ timeout: -1 }), { code: "ERR_OUT_OF_RANGE" });
  });

  it("ends by its timeout, and the process goes on", async () => {
    await using child = await createSubprocessExec("sleep", ["3600"]);
    await assert.rejects(child.wait({ timeout: 20 }), { name: "TimeoutError" });
    assert.equal(child.returncode, null);
  });

  it("returns when the process has ended, though a grandchild keeps its output open", async () => {
    const cwd = temporaryDirectory();
    const script = "(while [ ! -e go ]; do sleep 0.05; done; echo late) & echo early";
    await using child = await createSubprocessShell(script, { stdout: PIPE, cwd });
    assert.equal(String(await child.stdout.readline()), "early\n");
    assert.equal(await child.wait(), 0);
    const late = child.stdout.read();
    assert.equal(await isSettled(late), false);
    writeFileSync(join(cwd, "go"), "");
    assert.equal(String(await late), "late\n");
  });
});

describe("stdin", () => {
  it("tells by drain() that the child has ended, by the second write at the latest", async () => {
    const child = await createSubprocessExec("true", [], { stdin: PIPE });
    await child.wait();
    const write = async (): Promise<void> => {
      child.stdin.write("x");
      await child.stdin.drain();
    };
    await assert.rejects(write().then(write), { name: "ConnectionLostError", code: "ECONNRESET" });
    assert.equal(child.stdin.isClosing(), true);
    await child.stdin.waitClosed().catch(() => {});
  });

  it("tells by drain() and waitClosed() that the child has closed it", cannot("subprocess-closed-input", "bun"), async () => {
    await using child = await createSubprocessShell("exec 0<&-; echo closed; exec sleep 3600", { stdin: PIPE, stdout: PIPE });
    await child.stdout.readline();
    const fill = async (): Promise<void> => {
      for (;;) {
        child.stdin.write("x");
        await child.stdin.drain();
      }
    };
    await assert.rejects(fill(), { code: "ECONNRESET" });
    await assert.rejects(child.stdin.waitClosed(), { code: "EPIPE" });
  });

  it("still reaches a grandchild after the child has ended", needs(cannot("subprocess-inherited-input", "bun"), python), async () => {
    const script = `
import os, sys
reading, writing = os.pipe()
if os.fork() == 0:
    os.close(writing)
    os.read(reading, 1)
    print(len(sys.stdin.buffer.read()), flush=True)
else:
    os.read(0, 1)
os._exit(0)
`;
    const child = await createSubprocessExec(python.binary, ["-c", script], { stdin: PIPE, stdout: PIPE });
    child.stdin.write(LARGE);
    await child.wait();
    child.stdin.write("more");
    child.stdin.close();
    assert.equal(Number(await child.stdout.read()), LARGE.length + 4 - 1);
  });

  it("is closed when the process and its outputs have ended, as in Python", async () => {
    const child = await createSubprocessShell("echo out", { stdin: PIPE, stdout: PIPE });
    assert.equal(String(await child.stdout.read()), "out\n");
    await child.stdin.waitClosed();
    assert.equal(child.stdin.isClosing(), true);
  });
});

describe("stdout", () => {
  it("does not fill the memory when the child has ended and a grandchild writes on", async () => {
    await using child = await createSubprocessShell("sh -c 'echo $$; exec yes 2>/dev/null' &", { stdout: PIPE, limit: 1000 });
    const pid = Number(await child.stdout.readline());
    await child.wait();
    for (let round = 0; round < 10; round += 1) await new Promise((resolve) => setTimeout(resolve, 20));
    const { bufferedLength } = child.stdout;
    process.kill(pid);
    assert.ok(bufferedLength <= 2 * 262_144 + 2000, String(bufferedLength));
  });

  it("has everything that was written before the child was killed", async () => {
    const child = await createSubprocessShell("head -c 30000 /dev/zero; echo done >&2; exec sleep 3600", { stdout: PIPE, stderr: PIPE });
    await child.stderr.readline();
    child.kill();
    await child.wait();
    assert.equal((await child.stdout.read()).length, 30_000);
  });

  it("ends the child by SIGPIPE or EPIPE when it is let go of", async () => {
    const child = await createSubprocessExec("yes", [], { stdout: PIPE, stderr: DEVNULL });
    assert.equal(String(await child.stdout.readline()), "y\n");
    await child.stdout.cancel();
    assert.notEqual(await child.wait(), 0);
  });
});

describe("sendSignal()", () => {
  it("takes names and numbers, 0 too, and refuses others", async () => {
    await using child = await createSubprocessExec("sleep", ["3600"]);
    child.sendSignal(0);
    assert.throws(() => child.sendSignal(65), { code: "ERR_OUT_OF_RANGE" });
    assert.throws(() => child.sendSignal(-9), { code: "ERR_OUT_OF_RANGE" });
    assert.throws(() => child.sendSignal({} as number), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => child.sendSignal("SIGNONE" as "SIGHUP"), { code: "ERR_UNKNOWN_SIGNAL" });
    child.sendSignal(10);
    assert.equal(await child.wait(), -10);
  });
});

describe("await using", () => {
  /** Runs the process in a block, and returns it when the block has been left. */
  async function leave(start: () => Promise<Process>, inside: (child: Process) => void = () => {}): Promise<Process> {
    await using child = await start();
    await child.stdout?.readline();
    inside(child);
    return child;
  }

  it("ends a process by SIGTERM", async () => {
    const child = await leave(() => createSubprocessExec("sh", ["-c", "echo on; exec sleep 3600"], { stdout: PIPE }));
    assert.equal(child.returncode, -15);
  });

  it("kills one that ignores SIGTERM, after graceMs", async () => {
    const child = await leave(() => createSubprocessShell(DEAF, { stdout: PIPE, graceMs: 100 }));
    assert.equal(child.returncode, -9);
  });

  it("lets one end by itself that writes much in its last moments", async () => {
    const script = "trap 'head -c 4000000 /dev/zero; exit 6' TERM; echo on; while :; do sleep 0.05; done";
    const child = await leave(() => createSubprocessShell(script, { stdout: PIPE, graceMs: 30_000, limit: 10 }));
    assert.equal(child.returncode, 6);
  });

  /** Reads that still wait when the block is left; some end with the first data, some not, and some are followed by others. */
  const waiting: Readonly<Record<string, (reader: StreamReader) => Promise<unknown>>> = {
    readline: (reader) => reader.readline(),
    "read()": (reader) => reader.read(10),
    "a read to EOF": (reader) => reader.read(),
    "readexactly() with a time-out": (reader) => reader.readexactly(8_000_000, { timeout: 300 }),
    "a skip()": (reader) => reader.skip(100),
    "a peek()": (reader) => reader.peek(1),
    async "a loop"(reader) {
      for await (const _ of reader.chunks(1_000));
    },
    async "a loop that is left"(reader) {
      for await (const _ of reader.chunks(1_000)) break;
    },
    "toReadable() that nobody reads further": async (reader) => void reader.toReadable().once("readable", () => {}),
  };
  for (const [name, read] of Object.entries(waiting)) {
    for (const output of ["stdout", "stderr"] as const) {
      it(`lets one end by itself that writes much to ${output} while a read waits: ${name}`, async () => {
        const redirect = output === "stderr" ? ">&2" : "";
        const script = `trap 'head -c 4000000 /dev/zero ${redirect}; exit 6' TERM; echo on; while :; do sleep 0.05; done`;
        let ended: Promise<unknown>;
        const child = await leave(
          async () => {
            const started = await createSubprocessShell(script, { stdout: PIPE, stderr: PIPE, graceMs: 30_000, limit: 10 });
            if (output === "stderr") ended = read(started.stderr).catch(() => {});
            return started;
          },
          (started) => {
            if (output === "stdout") ended = read(started.stdout as StreamReader).catch(() => {});
          },
        );
        assert.equal(child.returncode, 6);
        await ended!;
      });
    }
  }

  it("lets one end by itself that writes much in its last moments, also while a read waits", async () => {
    const script = "trap 'yes | head -c 1000000; exit 3' TERM; echo on; while :; do sleep 0.05; done";
    const child = await createSubprocessShell(script, { stdout: PIPE, graceMs: 20_000 });
    assert.equal(String(await child.stdout.readline()), "on\n");
    const reading = child.stdout.readline();
    await child[Symbol.asyncDispose]();
    assert.equal(child.returncode, 3);
    assert.equal(String(await reading), "y\n");
  });

  it("does not wait for a grandchild that keeps the pipes open, and closes them", async () => {
    let pid = 0;
    {
      await using child = await createSubprocessShell("sh -c 'echo $$; exec yes 2>/dev/null' &", { stdin: PIPE, stdout: PIPE });
      pid = Number(await child.stdout.readline());
      await child.wait();
      child.stdin.write(LARGE);
    }
    await gone(pid); // by SIGPIPE
  });

  it("leaves one alone that has ended", async () => {
    await using child = await createSubprocessShell("echo on; exit 9", { stdin: PIPE, stdout: PIPE, stderr: PIPE });
    assert.equal(await child.wait(), 9);
  });
});
