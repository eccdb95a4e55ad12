/** The laws of `TransportCore`, with nothing underneath: what the protocol is told, when, and how often. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BaseProtocol, ConnectionLostError, type Protocol } from "asyncio-streams";
import { type ProtocolHooks, RecordingProtocol } from "asyncio-streams/testing";
import { thenable } from "../support/foreign.js";
import { expectWarnings } from "../support/leak-guard.js";
import { isSettled, turns } from "../support/turns.js";
import { warningsOf } from "../support/warnings-of.js";
import { BareTransport } from "./bare-transport.js";

expectWarnings("Error");

const HIGH = 100;
const boom = new Error("boom");

function transportOf(hooks: ProtocolHooks = {}): { transport: BareTransport; protocol: RecordingProtocol } {
  const protocol = new RecordingProtocol(hooks);
  return { transport: new BareTransport(protocol, HIGH), protocol };
}

/** Brings the transport to call a method of its protocol. */
const CALLS: Readonly<Partial<Record<keyof Protocol, (transport: BareTransport) => void>>> = {
  connectionMade: (transport) => transport.made(),
  dataReceived: (transport) => transport.receive("x"),
  eofReceived: (transport) => void transport.receiveEnd(),
  pauseWriting: (transport) => transport.setBufferSize(HIGH + 1),
  resumeWriting: (transport) => {
    transport.setBufferSize(HIGH + 1);
    transport.setBufferSize(0);
  },
};

describe("TransportCore", () => {
  for (const [method, call] of Object.entries(CALLS)) {
    it(`calls connectionLost() once after ${method}() if the connection is lost within it`, () => {
      let inside = false;
      const { transport, protocol } = transportOf({
        [method]: () => {
          inside = true;
          transport.lose();
          transport.lose();
          assert.equal(transport.isClosing(), true);
          assert.equal(transport.losing, true);
          inside = false;
        },
        connectionLost: () => assert.equal(inside, false),
      });
      call(transport);
      assert.deepEqual(protocol.losses, []);
      transport.runDeferred();
      transport.runDeferred();
      assert.deepEqual(protocol.losses, [null]);
      assert.equal(transport.state, "lost");
    });

    it(`ends the connection with the error that ${method}() throws`, () => {
      const { transport } = transportOf({
        [method]: () => {
          throw boom;
        },
      });
      call(transport);
      assert.deepEqual(transport.aborts, [boom]);
      assert.equal(transport.firstError, boom);
    });

    it(`ends the connection with the error that an async ${method}() rejects with`, async () => {
      for (const result of [Promise.reject(boom), thenable((_: unknown, reject: (error: Error) => void) => reject(boom))]) {
        const protocol = { dataReceived: () => {}, [method]: () => result } as unknown as Protocol;
        const transport = new BareTransport(protocol, HIGH);
        call(transport);
        assert.deepEqual(transport.aborts, []);
        await turns();
        assert.deepEqual(transport.aborts, [boom]);
      }
    });
  }

  it("calls connectionLost() at once when no call is under way", () => {
    const { transport, protocol } = transportOf();
    transport.note(boom);
    transport.lose();
    assert.deepEqual([protocol.losses, transport.losses], [[boom], 1]);
  });

  it("calls connectionLost() after the outermost of several calls", () => {
    const { transport, protocol } = transportOf({
      dataReceived: () => {
        transport.setBufferSize(HIGH + 1);
        assert.deepEqual(protocol.losses, []);
      },
      pauseWriting: () => transport.lose(),
    });
    transport.receive("x");
    assert.deepEqual(protocol.calls, ["dataReceived", "pauseWriting"]);
    transport.runDeferred();
    assert.deepEqual(protocol.losses, [null]);
  });

  it("keeps the first of several errors", () => {
    const { transport, protocol } = transportOf();
    transport.note(boom);
    transport.note(new Error("another"));
    transport.break(new Error("a third"));
    transport.lose();
    assert.deepEqual(protocol.losses, [boom]);
  });

  it("serves a protocol that has dataReceived() and nothing else", () => {
    const received: string[] = [];
    const protocol = { dataReceived: (data: Buffer) => void received.push(data.toString()) } as unknown as Protocol;
    const transport = new BareTransport(protocol, HIGH);
    transport.made();
    transport.receive("x");
    assert.equal(transport.receiveEnd(), false);
    transport.setBufferSize(HIGH + 1);
    transport.setProtocol({ dataReceived() {} } as unknown as Protocol);
    transport.setBufferSize(0);
    transport.failToWrite(boom);
    transport.lose();
    assert.deepEqual([received, transport.state, transport.aborts], [["x"], "lost", []]);
  });

  it("keeps our side open after the peer's end for a protocol that returns true, and for no other value", () => {
    for (const [result, keepsOpen] of [
      [true, true],
      [undefined, false],
      [1, false],
      [Promise.resolve(true), false],
    ] as const) {
      const { transport } = transportOf({ eofReceived: () => result as never });
      assert.equal(transport.receiveEnd(), keepsOpen);
    }
  });

  it("warns of an error that connectionLost() throws or rejects with, and of later errors", async () => {
    const later = deferred();
    const protocols: readonly Partial<Protocol>[] = [
      {
        connectionLost() {
          throw boom;
        },
      },
      { connectionLost: () => Promise.reject(boom) as never },
      { dataReceived: () => later.promise as never },
    ];
    const warnings = await warningsOf(async () => {
      for (const protocol of protocols) {
        const transport = new BareTransport({ dataReceived() {}, ...protocol } as unknown as Protocol, HIGH);
        transport.receive("x");
        transport.lose();
        assert.deepEqual(transport.aborts, []);
      }
      later.reject(boom);
      await turns();
    });
    assert.deepEqual(
      warnings.map(({ message }) => message),
      ["boom", "boom", "boom"],
    );
  });

  it("pauses and resumes writing in turns, by the size that is left after flush()", () => {
    const { transport, protocol } = transportOf();
    for (const size of [HIGH, HIGH + 1, HIGH + 2, 26, 25, 0, HIGH + 1, 0]) transport.setBufferSize(size);
    assert.deepEqual(protocol.calls, ["pauseWriting", "resumeWriting", "pauseWriting", "resumeWriting"]);
    assert.equal(transport.flushes, 2);
    assert.deepEqual(transport.getWriteBufferLimits(), [HIGH / 4, HIGH]);
    transport.setBufferSize(50);
    transport.setWriteBufferLimits({ high: 40 });
    assert.equal(protocol.calls.at(-1), "pauseWriting");
  });

  it("pauses a new protocol while writing is paused", () => {
    const { transport } = transportOf();
    transport.setBufferSize(HIGH + 1);
    const next = new RecordingProtocol();
    transport.setProtocol(next);
    assert.deepEqual([next.calls, transport.getProtocol()], [["pauseWriting"], next]);
    assert.throws(() => transport.setProtocol({} as never), { code: "ERR_INVALID_ARG_TYPE" });
  });
});

describe("the end of writing", () => {
  /** A protocol that notes how it was told that nothing can be sent. */
  class Writing extends BaseProtocol {
    readonly failures: [Error, boolean][] = [];
    readonly losses: (Error | null)[] = [];
    readonly chunks: string[] = [];
    "asyncio-streams:writingFailed"(error: Error, muchLater: boolean): void {
      this.failures.push([error, muchLater]);
    }
    override dataReceived(data: Buffer): void {
      this.chunks.push(data.toString());
    }
    override connectionLost(error: Error | null): void {
      this.losses.push(error);
    }
  }

  it("by a write that fails is closing at once, still delivers, and ends with the error of the write", async () => {
    const protocol = new Writing();
    const transport = new BareTransport(protocol, HIGH);
    transport.bufferSize = 10;
    const flushing = transport.flushed(undefined);
    transport.failToWrite(boom);
    assert.deepEqual([transport.state, transport.isClosing(), transport.isReading()], ["failing", true, true]);
    assert.deepEqual(protocol.failures, [[boom, true]]);
    await assert.rejects(flushing, (error: Error) => error instanceof ConnectionLostError && error.cause === boom);
    transport.receive("still here");
    transport.failToWrite(new Error("again"));
    assert.deepEqual([protocol.chunks, protocol.losses, protocol.failures.length], [["still here"], [], 1]);
    transport.lose();
    assert.deepEqual(protocol.losses, [boom]);
  });

  it("by a write that fails within a call of the protocol is visible to that protocol at once", () => {
    const protocol = new Writing();
    const transport = new BareTransport(protocol, HIGH);
    protocol.dataReceived = () => {
      transport.failToWrite(boom);
      assert.deepEqual(protocol.failures, [[boom, true]]);
    };
    transport.receive("x");
    assert.deepEqual(protocol.losses, []);
  });

  it("is refused if the writing side is not open", () => {
    const protocol = new Writing();
    const transport = new BareTransport(protocol, HIGH);
    transport.move("closing");
    transport.failToWrite(boom);
    assert.deepEqual([protocol.failures, transport.firstError], [[], null]);
  });

  it("by a connection that breaks is closing at once, and the loss follows soon", () => {
    const protocol = new Writing();
    const transport = new BareTransport(protocol, HIGH);
    transport.break(boom);
    assert.deepEqual([transport.state, transport.isReading()], ["closing", false]);
    assert.deepEqual([protocol.failures, protocol.losses], [[[boom, false]], []]);
    transport.lose();
    assert.deepEqual(protocol.losses, [boom]);
  });

  it("in order leaves a connection that is released, and lost only when it is closed", () => {
    const protocol = new Writing();
    const transport = new BareTransport(protocol, HIGH);
    transport.move("released");
    assert.deepEqual([transport.isClosing(), transport.isReading(), protocol.losses.length], [false, false, 0]);
    transport.failToWrite(boom);
    assert.equal(transport.state, "released");
    transport.loseInAMoment();
    assert.deepEqual([transport.isClosing(), protocol.losses.length], [true, 0]);
    transport.runDeferred();
    assert.deepEqual(protocol.losses, [null]);
  });
});

describe("flushed()", () => {
  it("is fulfilled if no bytes are left, and waits otherwise", async () => {
    const { transport } = transportOf();
    await transport.flushed(undefined);
    transport.bufferSize = 1;
    const flushing = transport.flushed(undefined);
    assert.equal(await isSettled(flushing), false);
    transport.sentEverything();
    await flushing;
  });

  it("rejects after bytes were dropped, and when the connection is lost", async () => {
    const { transport } = transportOf();
    transport.bufferSize = 1;
    const flushing = transport.flushed(undefined);
    transport.note(boom);
    transport.lose();
    await assert.rejects(flushing, { name: "ConnectionLostError", cause: boom });
    transport.droppedWrites = true;
    await assert.rejects(transport.flushed(undefined), { name: "ConnectionLostError", cause: boom });
  });
});

function deferred(): { readonly promise: Promise<void>; readonly reject: (error: Error) => void } {
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((_, rejectIt) => {
    reject = rejectIt;
  });
  return { promise, reject };
}
