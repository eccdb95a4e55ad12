/** The conformance suite for transports over those of the library: without sockets. */
import "../support/leak-guard.js";
import { describe, it } from "node:test";
import { checkTransport } from "asyncio-streams/testing";
import { memoryKinds } from "./transports.js";

for (const { name, makePair } of memoryKinds) {
  describe(`the transport over ${name}`, () => {
    for (const check of checkTransport(makePair)) it(check.name, () => check.run());
  });
}
