/** The conformance suite for transports over those of the library: Unix, TCP, and TLS over both. */
import "../support/leak-guard.js";
import { describe, it } from "node:test";
import { checkTransport } from "asyncio-streams/testing";
import { socketKinds } from "./transports.js";

for (const { name, makePair } of socketKinds) {
  describe(`the transport over ${name}`, () => {
    for (const check of checkTransport(makePair)) {
      it(check.name, () => check.run());
    }
  });
}
