/** What every kind of transport refuses from its user. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { StreamWriter, type Transport } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";
import { kinds, openPair } from "../support/pairs.js";

const TYPE = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };

type Open = () => Promise<{ readonly transport: Transport } & AsyncDisposable>;

const opens: readonly (readonly [name: string, open: Open])[] = [
  ...kinds.map((kind): readonly [string, Open] => [
    kind.name,
    async () => {
      const pair = await openPair(kind);
      return { transport: pair.client.writer.transport, [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose]() };
    },
  ]),
  ["memory", async () => ({ transport: memoryPair()[0].transport, async [Symbol.asyncDispose]() {} })],
  ["a sink", async () => ({ transport: StreamWriter.from(new PassThrough()).transport, async [Symbol.asyncDispose]() {} })],
];

for (const [name, open] of opens) {
  describe(`a transport over ${name}`, () => {
    it("refuses a value that is not a protocol, and keeps its own", async () => {
      await using opened = await open();
      const { transport } = opened;
      const protocol = transport.getProtocol();
      for (const wrong of [null, undefined, 5, "protocol", {}, { dataReceived: true }]) {
        assert.throws(() => transport.setProtocol(wrong as never), { ...TYPE, message: /^protocol must be a Protocol/ });
      }
      assert.equal(transport.getProtocol(), protocol);
    });

    it("accepts any object with dataReceived() as a protocol", async () => {
      await using opened = await open();
      const { transport } = opened;
      const duck = { dataReceived() {}, connectionLost() {}, eofReceived() {} };
      const protocol = transport.getProtocol();
      transport.setProtocol(duck as never);
      assert.equal(transport.getProtocol(), duck);
      transport.setProtocol(protocol);
    });

    it("refuses an abort reason that is not an error, and stays open", async () => {
      await using opened = await open();
      const { transport } = opened;
      for (const wrong of [null, "enough", 5])
        assert.throws(() => transport.abort(wrong as never), { ...TYPE, message: /^reason must be an Error/ });
      assert.equal(transport.isClosing(), false);
    });
  });
}
