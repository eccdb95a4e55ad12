/** `StreamWriter.from()` over what is over already: the writer is closing at once, whether or not an event has told of it. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough, Writable } from "node:stream";
import { describe, it } from "node:test";
import { StreamReader, StreamWriter } from "asyncio-streams";

const LOST = { name: "ConnectionLostError", code: "ECONNRESET" };

/** Nothing can be written any more, and every call says so. */
async function checkLost(writer: StreamWriter): Promise<void> {
  writer.write("after");
  assert.equal(writer.isClosing(), true);
  await assert.rejects(writer.drain(), LOST);
  await assert.rejects(writer.flush(), LOST);
  writer.close();
  await writer.waitClosed().catch(() => {});
}

describe("the input of a child that has died", () => {
  for (const event of ["exit", "close"]) {
    it(`takes no more after '${event}'`, async () => {
      const child = spawn("cat");
      const [reader, writer] = [StreamReader.from(child.stdout), StreamWriter.from(child.stdin)];
      writer.write("x\n");
      assert.equal((await reader.readline()).toString(), "x\n");
      const over = once(child, event);
      child.kill();
      assert.equal((await reader.read()).length, 0);
      await over;
      await checkLost(writer);
    });
  }
});

describe("a sink that is over", () => {
  it("by destroy() is closing at once", async () => {
    const sink = new PassThrough();
    const writer = StreamWriter.from(sink);
    assert.equal(writer.isClosing(), false);
    sink.destroy();
    assert.equal(writer.isClosing(), true);
    await checkLost(writer);
  });

  it("by destroy() with an error gives that error", async () => {
    const sink = new Writable({ write() {} }).on("error", () => {});
    const writer = StreamWriter.from(sink);
    writer.write("never done");
    const boom = new Error("boom");
    sink.destroy(boom);
    assert.equal(writer.isClosing(), true);
    await assert.rejects(writer.drain(), { ...LOST, cause: boom });
    await assert.rejects(writer.flush(), LOST);
    await assert.rejects(writer.waitClosed(), boom);
  });

  it("by end() elsewhere is closing when it has finished", async () => {
    const sink = new PassThrough().resume();
    const writer = StreamWriter.from(sink);
    sink.end();
    await once(sink, "finish");
    await checkLost(writer);
  });

  it("by an error of a WritableStream is closing at once", async () => {
    const boom = new Error("boom");
    let fail!: () => void;
    const writer = StreamWriter.from(
      new WritableStream<Uint8Array>({
        start(controller) {
          fail = () => controller.error(boom);
        },
      }),
    );
    assert.equal(writer.isClosing(), false);
    fail();
    assert.equal(writer.isClosing(), true);
    await checkLost(writer);
  });

  it("before the writer was made is closing at once", async () => {
    const sink = new PassThrough();
    sink.destroy();
    await checkLost(StreamWriter.from(sink));
  });

  it("by a write that fails gives the error of the write", async () => {
    const boom = new Error("boom");
    const writer = StreamWriter.from(new Writable({ write: (_chunk, _encoding, done) => done(boom) }).on("error", () => {}));
    writer.write("x");
    await assert.rejects(writer.flush(), { ...LOST, cause: boom });
    await assert.rejects(writer.drain(), LOST);
    await assert.rejects(writer.waitClosed(), boom);
  });
});
