import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type ClientContext, StreamReader, StreamReaderProtocol } from "asyncio-streams";
import { FakeTransport } from "../support/fake-transport.js";
import { kinds } from "../support/pairs.js";
import { until } from "../support/turns.js";

function connected(): { protocol: StreamReaderProtocol; context: ClientContext } {
  let context: ClientContext | null = null;
  const protocol = new StreamReaderProtocol(new StreamReader(), (_reader, _writer, given) => {
    context = given;
  });
  protocol.connectionMade(new FakeTransport());
  return { protocol, context: context as unknown as ClientContext };
}

describe("the signal for the end of a client", () => {
  it("is aborted once, when the client ends its side", () => {
    const { protocol, context } = connected();
    let count = 0;
    context.ended.addEventListener("abort", () => (count += 1));
    assert.equal(context.ended.aborted, false);
    protocol.eofReceived();
    protocol.connectionLost(new Error("later"));
    assert.equal(count, 1);
    assert.equal(context.ended.reason.name, "AbortError");
  });

  it("is aborted with the error that ends the connection", () => {
    const { protocol, context } = connected();
    const error = new Error("reset");
    context.ended.addEventListener("abort", () => {});
    protocol.connectionLost(error);
    assert.equal(context.ended.reason, error);
  });

  it("is aborted when it is first read after the end", () => {
    for (const end of [
      (protocol: StreamReaderProtocol) => protocol.eofReceived(),
      (protocol: StreamReaderProtocol) => protocol.connectionLost(null),
    ]) {
      const { protocol, context } = connected();
      end(protocol);
      assert.equal(context.ended.aborted, true);
      assert.equal(context.ended, context.ended);
    }
  });

  for (const [side, ends] of [
    ["client", [(protocol: StreamReaderProtocol) => protocol.eofReceived()]],
    [
      "client",
      [(protocol: StreamReaderProtocol) => protocol.eofReceived(), (protocol: StreamReaderProtocol) => protocol.connectionLost(null)],
    ],
    ["server", [(protocol: StreamReaderProtocol) => protocol.connectionLost(null)]],
  ] as const) {
    it(`has a reason that names the side that ended the connection: the ${side}, by ${ends.length} events`, () => {
      for (const isReadBefore of [true, false]) {
        const { protocol, context } = connected();
        if (isReadBefore) assert.equal(context.ended.aborted, false);
        for (const end of ends) end(protocol);
        assert.equal(context.ended.reason.name, "AbortError");
        assert.match(context.ended.reason.message, new RegExp(`^the ${side} has `));
      }
    });
  }

  it("is not aborted by a shutdown of the server", () => {
    const { protocol, context } = connected();
    protocol.shutdownRequested();
    assert.deepEqual([context.signal.aborted, context.ended.aborted], [true, false]);
  });

  for (const kind of kinds) {
    for (const way of ["close", "abort"] as const) {
      it(`does not say that the client has left after a ${way}() of the server, over ${kind.name}`, async () => {
        let reason: DOMException | null = null;
        const { server, connect } = await kind.serve(async (_reader, writer, { ended }) => {
          assert.equal(ended.aborted, false);
          writer[way]();
          await writer.waitClosed();
          reason = ended.reason;
        });
        const [, writer] = await connect();
        await until(() => reason !== null);
        assert.equal(String(reason), "AbortError: the server has closed the connection");
        writer.abort();
        server.close();
        await server.waitClosed();
      });
    }

    it(`stops the work for a client that leaves, over ${kind.name}`, async () => {
      let stopped: unknown = null;
      const { server, connect } = await kind.serve(async (_reader, writer, { ended }) => {
        await setTimeout(60_000, null, { signal: ended }).catch((error: Error) => {
          stopped = error.name;
        });
        writer.close();
      });
      const [, writer] = await connect();
      await until(() => server.getStats().active === 1);
      writer.abort();
      await server.shutdown({ graceMs: 5_000 });
      assert.equal(stopped, "AbortError");
    });
  }
});
