/** The stack of an error that ends a wait names the async functions that wait. V8 only: elsewhere stacks stay as they are. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader } from "asyncio-streams";
import { nameCallers } from "#src/base/async-stacks.js";
import { cancellationOf, Waiters, withOneDeadline } from "#src/base/waiting.js";
import { connectedStreams } from "../support/readers.js";
import { runtime } from "../support/runtime.js";
import { turns } from "../support/turns.js";

const isV8 = runtime !== "bun";

/** Fails if the function below is not named in the stack; elsewhere than in V8, if there is no stack. */
function assertNamed(error: unknown): void {
  const { stack } = error as Error;
  assert.match(String(stack), isV8 ? /\n\s+at async waitingFunction/ : /\w/);
}

async function waitingFunction(wait: () => Promise<unknown>): Promise<unknown> {
  const result = await wait();
  return result;
}

async function failing(wait: () => Promise<unknown>, fail: () => void): Promise<Error> {
  const result = waitingFunction(wait).then(
    () => assert.fail("it does not fail"),
    (error: Error) => error,
  );
  await turns();
  fail();
  return result;
}

const reads: Readonly<Record<string, (reader: StreamReader) => Promise<unknown>>> = {
  "readexactly()": (reader) => reader.readexactly(9),
  "readuntil()": (reader) => reader.readuntil("!"),
  "peek() with a time-out that does not come": (reader) => reader.readexactly(9, { timeout: 3_600_000 }),
};

describe("the stack of a read that fails while it waits", () => {
  for (const [name, read] of Object.entries(reads)) {
    it(`names the caller at the end of the stream: ${name}`, async () => {
      const reader = new StreamReader();
      const error = await failing(
        () => read(reader),
        () => reader.feedEof(),
      );
      assert.equal((error as Error & { code: string }).code, "ERR_INCOMPLETE_READ");
      assertNamed(error);
    });
  }

  it("names the caller of a loop", async () => {
    const reader = new StreamReader({ limit: 2 });
    const loop = async (): Promise<void> => {
      for await (const line of reader) assert.fail(String(line));
    };
    assertNamed(await failing(loop, () => reader.feedData("too long")));
  });

  it("names the caller of a call that runs out of time", async () => {
    const error = await failing(
      () => new StreamReader().readline({ timeout: 1 }),
      () => {},
    );
    assert.equal(error.name, "TimeoutError");
    assertNamed(error);
    const both = await failing(
      () => withOneDeadline(cancellationOf({ timeout: 1 }), (signal) => new Waiters().wait(signal)),
      () => {},
    );
    assert.equal(both.name, "TimeoutError");
    assertNamed(both);
  });

  it("names the caller once in the error that ended the connection", async () => {
    const { reader, writer, protocol } = connectedStreams();
    const lost = Object.assign(new Error("reset"), { code: "ECONNRESET" });
    const closed = waitingFunction(() => writer.waitClosed()).catch((error: unknown) => error);
    assert.equal(
      await failing(
        () => reader.readline(),
        () => protocol.connectionLost(lost),
      ),
      lost,
    );
    assert.equal(await closed, lost);
    assert.equal(reader.exception(), lost);
    await assert.rejects(reader.readline(), (error) => error === lost);
    assertNamed(lost);
    assert.ok(String(lost.stack).split("at async waitingFunction").length <= 3, lost.stack);
  });

  it("names the caller in the error of setException()", async () => {
    const reader = new StreamReader();
    const broken = new Error("broken");
    assert.equal(
      await failing(
        () => reader.read(),
        () => reader.setException(broken),
      ),
      broken,
    );
    assertNamed(broken);
  });

  it("leaves the reason of a signal as it is", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const { stack } = reason;
    assert.equal(
      await failing(
        () => new StreamReader().read(1, { signal: controller.signal }),
        () => controller.abort(reason),
      ),
      reason,
    );
    assert.equal(reason.stack, stack);
  });

  it("does not change a value without a stack", async () => {
    for (const error of [Object.freeze(new Error("frozen")), Object.assign(new Error("bare"), { stack: undefined })]) {
      const reader = new StreamReader();
      assert.equal(
        await failing(
          () => reader.read(),
          () => reader.setException(error),
        ),
        error,
      );
    }
    nameCallers("text");
  });
});
