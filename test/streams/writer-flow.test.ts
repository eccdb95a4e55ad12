import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError } from "asyncio-streams";
import { CALL_BYTES, TURN_BYTES } from "#src/base/scheduling.js";
import { WriterFlow } from "#src/streams/writer-flow.js";
import { FakeTransport } from "../support/fake-transport.js";
import { isSettled } from "../support/turns.js";

describe("WriterFlow", () => {
  it("has the TLS role of a client by default", () => {
    const flow = new WriterFlow();
    flow.replaceTransport(new FakeTransport());
    assert.equal(flow.tlsRole, "client");
  });

  it("has no read engine by default", () => {
    assert.equal(new WriterFlow().engine, null);
  });

  it("has no error before the loss, and then the error of the loss", () => {
    const flow = new WriterFlow();
    assert.equal(flow.lossError, null);
    const error = new Error("lost");
    flow.connectionLost(error);
    assert.equal(flow.lossError, error);
  });

  it("gives its subclasses the state of the connection", () => {
    class Telling extends WriterFlow {
      get gone(): boolean {
        return this.lost;
      }
    }
    const flow = new Telling();
    assert.equal(flow.gone, false);
    flow.connectionLost(null);
    assert.equal(flow.gone, true);
  });

  it("rejects a drained() that waits when the connection is lost", async () => {
    const flow = new WriterFlow();
    flow.pauseWriting();
    const waiting = flow.drained(undefined);
    flow.connectionLost(null);
    await assert.rejects(waiting, { name: "ConnectionLostError", message: "cannot drain: the connection is closed" });
  });

  it("flows unless writing is paused or the connection is lost", () => {
    const flow = new WriterFlow();
    assert.equal(flow.isFlowing, true);
    flow.pauseWriting();
    assert.equal(flow.isFlowing, false);
    flow.resumeWriting();
    assert.equal(flow.isFlowing, true);
    flow.connectionLost(null);
    assert.equal(flow.isFlowing, false);
    flow.pauseWriting();
    assert.equal(flow.isFlowing, false);
  });

  it("keeps the first of two losses", async () => {
    const flow = new WriterFlow();
    flow.connectionLost(null);
    flow.connectionLost(new Error("late"));
    assert.equal(flow.lossError, null);
    await flow.closed(undefined);
  });

  it("waits in drained() only while writing is paused", async () => {
    const flow = new WriterFlow();
    await flow.drained(undefined);
    flow.pauseWriting();
    const waiting = flow.drained(undefined);
    assert.equal(await isSettled(waiting), false);
    flow.resumeWriting();
    await waiting;
    await flow.drained(undefined);
  });

  it("rejects drained() at once after the loss, with the error as cause", async () => {
    const flow = new WriterFlow();
    const error = new Error("the cable");
    flow.connectionLost(error);
    await assert.rejects(flow.drained(undefined), (thrown: unknown) => {
      assert.ok(thrown instanceof ConnectionLostError);
      assert.equal(thrown.message, "cannot drain: the connection is lost: the cable");
      assert.equal(thrown.cause, error);
      return true;
    });
  });

  it("says that the connection is closed if there was no error", async () => {
    const flow = new WriterFlow();
    const never = flow.rejectOnceLost(undefined);
    assert.equal(await isSettled(never), false);
    flow.connectionLost(null);
    for (const rejected of [never, flow.rejectOnceLost(undefined), flow.drained(undefined)]) {
      await assert.rejects(rejected, { name: "ConnectionLostError", message: "cannot drain: the connection is closed" });
    }
  });

  it("ends closed() with the connection", async () => {
    const [quiet, failed] = [new WriterFlow(), new WriterFlow()];
    const waits = [quiet.closed(undefined), failed.closed(undefined)];
    assert.equal(await isSettled(waits[0] as Promise<void>), false);
    quiet.connectionLost(null);
    const error = new Error("lost");
    failed.connectionLost(error);
    await waits[0];
    await assert.rejects(waits[1] as Promise<void>, error);
    await quiet.closed(undefined);
    await assert.rejects(failed.closed(undefined), error);
  });
});

/** The method that a transport calls, whose name keeps it from programs. */
const fail = (flow: WriterFlow, error: Error, muchLater: boolean): void => flow["asyncio-streams:writingFailed"](error, muchLater);

describe("a WriterFlow whose writing has failed", () => {
  const lost = { name: "ConnectionLostError", message: "cannot drain: the connection is lost: broken pipe" };

  it("does not flow, and rejects every later drained() and rejectOnceLost() with the first error", async () => {
    const flow = new WriterFlow();
    const first = new Error("broken pipe");
    fail(flow, first, false);
    fail(flow, new Error("another"), false);
    assert.deepEqual([flow.isFlowing, flow.lost, flow.lossError], [false, false, null]);
    for (const rejected of [flow.drained(undefined), flow.rejectOnceLost(undefined)])
      await assert.rejects(rejected, { ...lost, cause: first });
  });

  it("fails nothing if no call waits", () => {
    const flow = new WriterFlow();
    flow.pauseWriting();
    fail(flow, new Error("broken pipe"), true);
    assert.equal(flow.isInUse, false);
  });

  it("leaves calls that wait to the loss, unless that comes much later", async () => {
    for (const muchLater of [false, true]) {
      const flow = new WriterFlow();
      flow.pauseWriting();
      const waiting = flow.drained(undefined);
      fail(flow, new Error("broken pipe"), muchLater);
      assert.equal(await isSettled(waiting), muchLater);
      flow.connectionLost(new Error(muchLater ? "later" : "broken pipe"));
      await assert.rejects(waiting, lost);
    }
  });

  it("has the error of the loss once the connection is lost", async () => {
    const flow = new WriterFlow();
    fail(flow, new Error("first"), false);
    flow.connectionLost(new Error("broken pipe"));
    fail(flow, new Error("later"), true);
    await assert.rejects(flow.drained(undefined), lost);
    const orderly = new WriterFlow();
    orderly.connectionLost(null);
    fail(orderly, new Error("later"), true);
    await assert.rejects(orderly.drained(undefined), { message: "cannot drain: the connection is closed" });
  });
});

describe("the waits of a WriterFlow", () => {
  it("are in use while a call waits", async () => {
    for (const [begin, end] of [
      [(flow) => flow.drained(undefined), (flow) => flow.resumeWriting()],
      [(flow) => flow.closed(undefined), (flow) => flow.connectionLost(null)],
      [(flow) => flow.rejectOnceLost(undefined).catch(() => {}), (flow) => flow.connectionLost(null)],
    ] satisfies [(flow: WriterFlow) => Promise<void>, (flow: WriterFlow) => void][]) {
      const flow = new WriterFlow();
      flow.pauseWriting();
      assert.equal(flow.isInUse, false);
      const waiting = begin(flow);
      assert.equal(flow.isInUse, true);
      end(flow);
      assert.equal(flow.isInUse, false);
      await waiting;
    }
  });

  it("all end together", async () => {
    const flow = new WriterFlow();
    flow.pauseWriting();
    const drains = [flow.drained(undefined), flow.drained(undefined)];
    flow.resumeWriting();
    await Promise.all(drains);
    const closes = [flow.closed(undefined), flow.closed(undefined)];
    flow.connectionLost(null);
    await Promise.all(closes);
  });
});

describe("WriterFlow paced()", () => {
  const done = Promise.resolve();
  /** Whether the call has to wait for a turn of the event loop. */
  const waits = (flow: WriterFlow, written: number): boolean => {
    const result = flow.paced(done, written);
    return result !== done;
  };

  it("waits for a turn once the calls have spent their budget, and then has a new one", async () => {
    const flow = new WriterFlow();
    for (let written = 0, round = 0; round < 2; round += 1) {
      for (let call = 0; call < TURN_BYTES / CALL_BYTES; call += 1) assert.equal(waits(flow, (written += 10)), false, `call ${call}`);
      assert.equal(waits(flow, (written += 10)), true);
    }
  });

  it("counts the bytes written since the last call, if they are more than a call's least", () => {
    const flow = new WriterFlow();
    assert.equal(waits(flow, TURN_BYTES - CALL_BYTES - 1), false);
    assert.equal(waits(flow, TURN_BYTES), false, "the budget is spent to 0");
    assert.equal(waits(flow, TURN_BYTES), true);
    assert.equal(waits(flow, 2 * TURN_BYTES), false);
    assert.equal(waits(flow, 2 * TURN_BYTES + 1), true);
  });

  it("has its whole budget again in a new turn", () => {
    const flow = new WriterFlow();
    assert.equal(waits(flow, TURN_BYTES), false);
    flow.turned();
    assert.equal(waits(flow, 2 * TURN_BYTES), false);
    assert.equal(waits(flow, 2 * TURN_BYTES), true);
  });

  it("waits for a turn before the result, which may be a rejection that nothing has handled meanwhile", async () => {
    const flow = new WriterFlow();
    let hasTurned = false;
    setImmediate(() => (hasTurned = true));
    const error = new Error("lost");
    await assert.rejects(flow.paced(Promise.reject(error), TURN_BYTES + 1), error);
    assert.equal(hasTurned, true);
  });
});
