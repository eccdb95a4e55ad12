import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLostError } from "asyncio-streams";
import { WriterFlow } from "#src/streams/writer-flow.js";
import { FakeTransport } from "../support/fake-transport.js";
import { isSettled } from "../support/turns.js";

describe("WriterFlow", () => {
  it("has the TLS role of a client by default", () => {
    const flow = new WriterFlow();
    flow.replaceTransport(new FakeTransport());
    assert.equal(flow.tlsRole, "client");
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
