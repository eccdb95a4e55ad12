/** Time-outs of calls that wait more than once: they count for the whole call. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cancellationOf, Waiters, withOneDeadline } from "#src/base/waiting.js";
import { Server } from "#src/net/server.js";
import { isSettled, turns } from "../support/turns.js";
import { watchedController } from "../support/watched-signal.js";

const TIMEOUT_MS = 5;
const LONG_MS = 3_600_000;

/** Whether a call has ended when a timer of the length of its time-out goes off, which was set after it: no clock has to be looked at. */
async function endsByItsTimeout(call: (timeout: number) => Promise<unknown>): Promise<boolean> {
  let timedOut = false;
  call(TIMEOUT_MS).catch((error: Error) => {
    timedOut = error.name === "TimeoutError";
  });
  await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS));
  return timedOut;
}

describe("withOneDeadline()", () => {
  it("counts the time-out from the beginning, however often the call waits", async () => {
    const waitTwice = (timeout: number): Promise<void> => {
      const first = new Waiters();
      const waiting = withOneDeadline(cancellationOf({ timeout }), async (signal) => {
        await first.wait(signal);
        await new Waiters().wait(signal);
      });
      first.wake();
      return waiting;
    };
    assert.equal(await endsByItsTimeout(waitTwice), true);
  });

  it("passes the signal itself if there is no time-out", async () => {
    const { signal } = new AbortController();
    for (const given of [undefined, signal]) {
      await withOneDeadline(cancellationOf({ signal: given }), async (seen) => assert.equal(seen, given));
    }
  });

  it("rejects with the signal's reason if that comes before the time-out, and leaves nothing on the signal", async () => {
    const watched = watchedController();
    const reason = new Error("enough");
    const waiting = withOneDeadline(cancellationOf({ timeout: LONG_MS, signal: watched.signal }), (signal) => new Waiters().wait(signal));
    watched.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
    assert.equal(watched.listeners(), 0);
  });
});

/** A server whose only listener begins to listen when it is told. */
function slowServer(): { server: Server; begin: () => void } {
  const begun = new Waiters();
  const listener = {
    socket: { family: 0, type: 0, proto: 0, getsockname: () => "", getpeername: () => null },
    listen: () => begun.wait(),
    close() {},
  };
  const policy = { protocolFactory: () => ({}), maxConnections: 1, maxWaiting: 1, onError() {}, tls: null };
  return { server: new Server([listener as never], policy as never, undefined), begin: () => begun.wake() };
}

describe("Server.serveForever while it begins to serve", () => {
  it("ends by its time-out, which counts from the call, and closes the server", async () => {
    const { server, begin } = slowServer();
    assert.equal(await endsByItsTimeout((timeout) => server.serveForever({ timeout })), true);
    begin();
    await assert.rejects(server.startServing(), { code: "ERR_INVALID_STATE" });
  });

  it("ends by its signal, also in the moment in which it has begun", async () => {
    for (const turnsBefore of [0, 1]) {
      const { server, begin } = slowServer();
      const controller = new AbortController();
      const serving = server.serveForever({ signal: controller.signal });
      begin();
      await turns(turnsBefore);
      controller.abort(new Error("enough"));
      await assert.rejects(serving, { message: "enough" });
      assert.equal(server.isServing(), false);
    }
  });

  it("goes on when it has begun, until it is closed", async () => {
    const { server, begin } = slowServer();
    const serving = server.serveForever({ timeout: LONG_MS });
    begin();
    assert.equal(await isSettled(serving), false);
    assert.equal(server.isServing(), true);
    server.close();
    await serving;
  });
});
