/** `WriteScheduler` over a wire that has broken: what is written is lost, and that is told. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Wire } from "#src/transports/wire.js";
import { WriteScheduler } from "#src/transports/write-scheduler.js";

/** A wire that notes what it is to send. */
function fakeWire(destroyed: boolean): { readonly wire: Wire; readonly written: string[] } {
  const written: string[] = [];
  const wire = {
    unsent: 0,
    dropped: false,
    destroyed,
    write(data: Uint8Array) {
      written.push(Buffer.from(data).toString());
      return true;
    },
  };
  return { wire: wire as unknown as Wire, written };
}

const events = {
  abort(error: Error): void {
    throw error;
  },
};

describe("WriteScheduler", () => {
  it("passes the gathered bytes to an open wire, and drops nothing", () => {
    const { wire, written } = fakeWire(false);
    const sending = new WriteScheduler(wire, events);
    sending.write(Buffer.from("sent"));
    sending.flush();
    assert.deepEqual([written, sending.sentBytes, sending.dropped], [["sent"], 4, false]);
  });

  it("drops and reports bytes that a wire broken in the same turn cannot send", () => {
    const { wire, written } = fakeWire(true);
    const sending = new WriteScheduler(wire, events);
    sending.write(Buffer.from("too late"));
    assert.equal(sending.dropped, false);
    sending.flush();
    assert.deepEqual([written, sending.sentBytes, sending.dropped], [[], 0, true]);
  });

  it("aborts the connection if there is no memory to gather bytes in, at any write of the turn", () => {
    const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
    const { wire } = fakeWire(false);
    const aborted: unknown[] = [];
    const sending = new WriteScheduler({ ...wire, unsent: 1 } as Wire, { abort: (error) => void aborted.push(error) });
    Buffer.allocUnsafeSlow = () => {
      throw new RangeError("Array buffer allocation failed");
    };
    try {
      // The shared block has room for 16 of them, unless another test has used it up to the end.
      for (let count = 0; count < 20 && aborted.length === 0; count += 1) sending.write(Buffer.alloc(4000));
      sending.write(Buffer.alloc(4000));
    } finally {
      Buffer.allocUnsafeSlow = allocUnsafeSlow;
    }
    assert.deepEqual(
      aborted.map((error) => (error as { readonly code: string }).code),
      ["ENOMEM", "ENOMEM"],
    );
    assert.equal(sending.dropped, true);
  });
});
