/** The standard streams of a process as a reader and a writer: children of this test use theirs. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { describe, it } from "node:test";
import {
  connectReadPipe,
  connectWritePipe,
  createSubprocessExec,
  createSubprocessShell,
  PIPE,
  type ProcessOf,
} from "asyncio-streams/process";
import { scriptCommand } from "../support/child.js";
import { temporaryDirectory } from "../support/temporary.js";

type Piped = ProcessOf<typeof PIPE, typeof PIPE, typeof PIPE>;

function start(name: string): Promise<Piped> {
  const [program, ...args] = scriptCommand("process/stdio-child", name) as [string, ...string[]];
  return createSubprocessExec(program, args, { stdin: PIPE, stdout: PIPE, stderr: PIPE });
}

/** What the child prints, if its input stays open. */
async function printed(child: Piped): Promise<string> {
  const output = String(await child.stdout.read());
  assert.equal(String(await child.stderr.read()), "");
  assert.equal(await child.wait(), 0);
  return output;
}

describe("stdio()", () => {
  it("reads and writes to the end of the input, and the process ends", async () => {
    await using child = await start("echo");
    child.stdin.write("one\n");
    assert.equal(String(await child.stdout.readline()), "you said one\n");
    child.stdin.write("two\nthree");
    child.stdin.close();
    assert.equal(await printed(child), "you said two\nyou said three");
  });

  for (const name of ["leave", "leave-by-block"]) {
    it(`can be let go of, so that the process ends though its input has not: ${name}`, async () => {
      await using child = await start(name);
      child.stdin.write("one\ntwo\n");
      assert.equal(await printed(child), name === "leave" ? "one\nleft\n" : "one\n");
    });
  }

  it("lets go of a file, too", async () => {
    const path = join(temporaryDirectory(), "input");
    writeFileSync(path, "one\n".repeat(100_000));
    const [program, ...args] = scriptCommand("process/stdio-child", "leave") as [string, ...string[]];
    const child = await createSubprocessExec(program, args, { stdin: openSync(path, "r"), stdout: PIPE });
    assert.equal(String((await child.communicate())[0]), "one\nleft\n");
  });

  it("can be taken up again", async () => {
    await using child = await start("come-back");
    child.stdin.write("one\n");
    assert.equal(String(await child.stdout.readline()), "1: one\n");
    child.stdin.write("two\n");
    assert.equal(await printed(child), "2: two\n");
  });

  it("loses nothing of what was written before close()", async () => {
    await using child = await start("write-much");
    assert.equal((await printed(child)).length, 64 * 65_536);
  });
});

describe("connectWritePipe()", () => {
  it("tells by drain() and waitClosed() that the reader has gone, and does not crash", async () => {
    const [program, ...args] = scriptCommand("process/stdio-child", "write-to-the-dead");
    // The reader of the pipe ends before the line comes that lets the writer begin.
    const script = `exec 3>&1; { '${[program, ...args].join("' '")}' 2>&3; } | true; echo; echo gone`;
    const child = await createSubprocessShell(script, { stdin: PIPE, stdout: PIPE });
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.stdin.write("go\n");
    assert.equal(String(await child.stdout.read()), "ECONNRESET EPIPE\ngone\n");
    child.stdin.close();
    assert.equal(await child.wait(), 0);
  });

  it("may be called any number of times for standard output, with one listener", async () => {
    const before = process.stdout.listenerCount("error");
    const writers = Array.from({ length: 12 }, () => connectWritePipe(process.stdout));
    assert.ok(process.stdout.listenerCount("error") <= before + 1);
    for (const writer of writers) writer.close();
    await Promise.all(writers.map((writer) => writer.waitClosed()));
    assert.equal(process.stdout.listenerCount("error"), before);
  });

  it("leaves standard output open, and ends any other Writable", async () => {
    const before = process.stdout.listenerCount("error");
    const writer = connectWritePipe(process.stdout);
    writer.close();
    await writer.waitClosed();
    assert.equal(process.stdout.writable, true);
    assert.equal(process.stdout.listenerCount("error"), before);
    const pieces: Buffer[] = [];
    const writable = new Writable({
      write(chunk: Buffer, _encoding, done) {
        pieces.push(chunk);
        done();
      },
    });
    const other = connectWritePipe(writable);
    other.write("text");
    other.close();
    await other.waitClosed();
    assert.deepEqual([String(Buffer.concat(pieces)), writable.writableFinished], ["text", true]);
  });
});

describe("connectReadPipe()", () => {
  it("reads any Readable, and cancel() destroys it", async () => {
    const pipe = new Readable({ read() {} });
    const reader = connectReadPipe(pipe, { limit: 3 });
    pipe.push("abcdef\n");
    await assert.rejects(reader.readline(), { code: "ERR_LINE_TOO_LONG" });
    await reader.cancel();
    assert.equal(pipe.destroyed, true);
    assert.throws(() => connectReadPipe(pipe, { limit: 0 }), { code: "ERR_OUT_OF_RANGE" });
  });
});
