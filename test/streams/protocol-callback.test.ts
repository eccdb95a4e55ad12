import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ClientConnectedCallback,
  type ClientErrorHandler,
  StreamReader,
  StreamReaderProtocol,
  type StreamWriter,
} from "asyncio-streams";
import { FakeTransport } from "../support/fake-transport.js";
import { foreign, thenable } from "../support/foreign.js";
import { expectWarnings } from "../support/leak-guard.js";
import { turns } from "../support/turns.js";
import { warningsOf } from "../support/warnings-of.js";

expectWarnings("ClientErrorWarning");

/** Connects a protocol with this callback; returns the transport it had. */
function connect(callback: ClientConnectedCallback, onClientError?: ClientErrorHandler): FakeTransport {
  const transport = new FakeTransport();
  new StreamReaderProtocol(new StreamReader(), callback, { onClientError }).connectionMade(transport);
  return transport;
}

/** The ways in which a callback fails. */
const failing: readonly (readonly [string, (thrown: unknown) => ClientConnectedCallback])[] = [
  [
    "throws",
    (thrown) => () => {
      throw thrown;
    },
  ],
  ["rejects", (thrown) => () => Promise.reject(thrown)],
  [
    "returns a thenable that throws",
    (thrown) => () =>
      thenable(() => {
        throw thrown;
      }) as never,
  ],
  [
    "rejects later",
    (thrown) => async () => {
      await turns();
      throw thrown;
    },
  ],
];

describe("a callback's end", () => {
  it("leaves the connection open, whether it returns or fulfils", async () => {
    for (const callback of [() => {}, async () => {}]) {
      const transport = connect(callback, () => assert.fail("nothing has failed"));
      await turns(2);
      assert.deepEqual(transport.calls, []);
    }
  });
});

for (const [how, callbackThat] of failing) {
  describe(`a callback that ${how}`, () => {
    for (const thrown of [new Error("broken"), "a string", undefined, null, { code: 5 }]) {
      it(`reports ${thrown instanceof Error ? "an Error" : JSON.stringify(thrown)} to onClientError as it is, with the writer, and closes the connection`, async () => {
        const reports: unknown[][] = [];
        let writer: StreamWriter | undefined;
        const callback = callbackThat(thrown);
        const transport = connect(
          (givenReader, givenWriter, context) => {
            writer = givenWriter;
            return callback(givenReader, givenWriter, context);
          },
          (...args) => void reports.push(args),
        );
        await turns(3);
        assert.equal(reports.length, 1);
        assert.equal(reports[0]?.[0], thrown);
        assert.equal(reports[0]?.[1], writer);
        assert.deepEqual(transport.calls, ["close"]);
      });
    }

    it("causes a warning with its stack without onClientError, and closes the connection", async () => {
      const error = new TypeError("broken");
      let transport: FakeTransport | undefined;
      const warnings = await warningsOf(() => {
        transport = connect(callbackThat(error));
      });
      assert.equal(warnings.length, 1);
      assert.equal(warnings[0]?.name, "ClientErrorWarning");
      assert.equal(warnings[0]?.code, "ASYNCIO_STREAMS_CLIENT_ERROR");
      assert.ok(warnings[0]?.message.includes(error.stack as string), warnings[0]?.message);
      assert.deepEqual(transport?.calls, ["close"]);
    });

    it("causes a warning for a value that is not an Error, too", async () => {
      for (const [thrown, shown] of [
        ["a string", "a string"],
        [undefined, "undefined"],
        [null, "null"],
      ] as const) {
        const warnings = await warningsOf(() => void connect(callbackThat(thrown)));
        assert.equal(warnings.length, 1);
        assert.ok(warnings[0]?.message.includes(shown), warnings[0]?.message);
      }
    });

    it("causes a warning for a value that String() cannot show", async () => {
      let transport: FakeTransport | undefined;
      const warnings = await warningsOf(() => {
        transport = connect(callbackThat(Object.create(null)));
      });
      assert.equal(warnings.length, 1);
      assert.deepEqual(transport?.calls, ["close"]);
    });

    it("is closed although onClientError itself fails, which causes a warning", async () => {
      for (const onClientError of [
        () => {
          throw new Error("the handler's own");
        },
        () => Promise.reject(new Error("the handler's own")) as never,
        foreign('(async () => { throw new Error("the handler\'s own"); })') as ClientErrorHandler,
        () => thenable((_resolve: unknown, reject: (reason: unknown) => void) => reject(new Error("the handler's own"))) as never,
      ]) {
        let transport: FakeTransport | undefined;
        const warnings = await warningsOf(() => {
          transport = connect(callbackThat(new Error("broken")), onClientError);
        });
        assert.equal(warnings.length, 1);
        assert.match(warnings[0]?.message as string, /the handler's own/);
        assert.deepEqual(transport?.calls, ["close"]);
      }
    });
  });
}

describe("a callback that rejects after the connection was lost", () => {
  it("is still reported", async () => {
    const reports: unknown[] = [];
    const protocol = new StreamReaderProtocol(new StreamReader(), async (reader) => void (await reader.readexactly(5)), {
      onClientError: (error) => void reports.push(error),
    });
    protocol.connectionMade(new FakeTransport());
    const lost = new Error("lost");
    protocol.connectionLost(lost);
    await turns(3);
    assert.deepEqual(reports, [lost]);
  });
});
