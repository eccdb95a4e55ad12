/** A transport as a stream, and the wire above it, where no connection is needed. `test/tls/` runs TLS over them. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { CarriedWire } from "#src/transports/carried-wire.js";
import { TransportCarrier } from "#src/transports/transport-carrier.js";
import { FakeTransport } from "../support/fake-transport.js";

describe("TransportCarrier", () => {
  it("reads from the transport only while it is read, and while the secured socket is not paused", () => {
    const carrier = new TransportCarrier();
    const transport = new FakeTransport();
    carrier.connectionMade(transport);
    assert.equal(transport.calls.at(-1), "pauseReading");
    carrier.resume().on("data", () => {});
    carrier.read();
    assert.equal(transport.calls.at(-1), "resumeReading");
    const secured = new PassThrough();
    carrier.follow(secured as unknown as TLSSocket);
    secured.pause();
    assert.equal(transport.calls.at(-1), "pauseReading");
  });
});

describe("CarriedWire", () => {
  it("knows that the peer is gone once the carrier is destroyed", () => {
    const carrier = new TransportCarrier();
    const wire = new CarriedWire(new PassThrough() as unknown as TLSSocket, carrier);
    assert.equal(wire.isPeerGone(), false);
    carrier.destroy();
    assert.equal(wire.isPeerGone(), true);
  });
});
