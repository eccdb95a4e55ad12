/** A callback that fails: `onClientError`, the connection it had, and the server, which lives on. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  BaseProtocol,
  type ClientConnectedCallback,
  type ClientErrorHandler,
  createServer,
  createUnixServer,
  openUnixConnection,
  type Server,
  StreamReader,
  StreamReaderProtocol,
  StreamWriter,
  startUnixServer,
  type UnixServerOptions,
} from "asyncio-streams";
import { openTo } from "../support/addresses.js";
import { expectWarnings } from "../support/leak-guard.js";
import { kinds } from "../support/pairs.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";

expectWarnings("ClientErrorWarning");
expectWarnings("ServerErrorWarning");

const failure = new Error("on purpose");

const failing: readonly (readonly [what: string, callback: ClientConnectedCallback])[] = [
  [
    "throws",
    () => {
      throw failure;
    },
  ],
  ["rejects", () => Promise.reject(failure)],
  [
    "rejects after a while",
    async (reader) => {
      await reader.readline();
      throw failure;
    },
  ],
];

/** The next warning of the process. */
function nextWarning(): Promise<Error & { code?: string }> {
  return new Promise((resolve) => {
    process.once("warning", resolve);
  });
}

for (const kind of kinds) {
  describe(`a callback that fails over ${kind.name}`, () => {
    for (const [what, callback] of failing) {
      it(`and ${what} is reported once with its writer, its connection is closed, and the server goes on`, async () => {
        const reports: [unknown, StreamWriter | null][] = [];
        let served: StreamWriter | undefined;
        let fails = true;
        const { server, connect } = await kind.serve(
          async (reader, writer, context) => {
            served = writer;
            if (fails) return callback(reader, writer, context);
            writer.write("fine");
            writer.close();
          },
          { onClientError: (error, writer) => reports.push([error, writer]) },
        );
        const [reader, writer] = await connect();
        writer.write("line\n");
        await reader.read().catch(() => {});
        await until(() => reports.length > 0);
        assert.deepEqual(reports, [[failure, served]]);
        assert.equal(served?.isClosing(), true);
        assert.equal(server.isServing(), true);
        fails = false;
        const [secondReader, secondWriter] = await connect();
        assert.equal((await secondReader.read()).toString(), "fine");
        assert.equal(reports.length, 1);
        for (const one of [writer, secondWriter]) {
          one.close();
          await one.waitClosed().catch(() => {});
        }
        await server.shutdown();
      });
    }

    it("still sends the bytes it had written", async () => {
      const { server, connect } = await kind.serve(
        (_reader, writer) => {
          writer.write("sorry");
          throw failure;
        },
        { onClientError: () => {} },
      );
      const [reader, writer] = await connect();
      assert.equal((await reader.read()).toString(), "sorry");
      writer.close();
      await writer.waitClosed();
      await server.shutdown();
    });
  });
}

/** Connects, waits for the end of the connection, and ends the server. */
async function provoke(server: Awaited<ReturnType<typeof startUnixServer>>, path: string): Promise<void> {
  const [reader, writer] = await openUnixConnection(path);
  await reader.read().catch(() => {});
  writer.transport.abort();
  await writer.waitClosed().catch(() => {});
  await server.shutdown();
}

type Options = Pick<UnixServerOptions, "onClientError" | "onError" | "proxyProtocol">;

function protocolOf(own: ClientErrorHandler | undefined): StreamReaderProtocol {
  return new StreamReaderProtocol(new StreamReader(), () => Promise.reject(failure), { onClientError: own });
}

/** Connects once, and waits until the server has ended the connection. */
async function provokeOn(server: Server, text: string = ""): Promise<void> {
  const [reader, writer] = await openTo(server.sockets[0]!.getsockname());
  writer.write(text);
  await reader.read().catch(() => {});
  writer.transport.abort();
  await writer.waitClosed().catch(() => {});
  await server.shutdown();
}

describe("onClientError", () => {
  it("without one, the error is a process warning with the stack", async () => {
    const path = socketPath();
    const warning = nextWarning();
    await provoke(await startUnixServer(() => Promise.reject(failure), path), path);
    const { name, code, message } = await warning;
    assert.deepEqual([name, code], ["ClientErrorWarning", "ASYNCIO_STREAMS_CLIENT_ERROR"]);
    assert.match(message, /on purpose/);
    assert.match(message, /client-error\.test/);
  });

  it("without one, something that is no Error is a process warning, too", async () => {
    const path = socketPath();
    const warning = nextWarning();
    await provoke(await startUnixServer(() => Promise.reject("just text"), path), path);
    assert.match((await warning).message, /just text/);
  });

  for (const [what, handler] of [
    [
      "throws",
      (): void => {
        throw new Error("the handler failed");
      },
    ],
    ["rejects", (): Promise<never> => Promise.reject(new Error("the handler failed"))],
  ] as const) {
    it(`that ${what} is itself a process warning`, async () => {
      const path = socketPath();
      const warning = nextWarning();
      await provoke(await startUnixServer(() => Promise.reject(failure), path, { onClientError: handler }), path);
      assert.match((await warning).message, /the handler failed/);
    });
  }

  for (const [how, create] of [
    ["createUnixServer()", (options, own) => createUnixServer(() => protocolOf(own), socketPath(), options)],
    ["createServer()", (options, own) => createServer(() => protocolOf(own), "127.0.0.1", 0, options)],
  ] as readonly [string, (options: Options, own?: ClientErrorHandler) => Promise<Server>][]) {
    it(`of ${how} receives what the callback of a StreamReaderProtocol throws, unless the protocol has its own`, async () => {
      for (const isOwn of [false, true]) {
        const [own, servers]: [unknown[], unknown[]] = [[], []];
        const handler: ClientErrorHandler = (error, writer) => servers.push(error, writer instanceof StreamWriter);
        const server = await create({ onClientError: handler }, isOwn ? (error) => own.push(error) : undefined);
        await provokeOn(server);
        assert.deepEqual([own, servers], isOwn ? [[failure], []] : [[], [failure, true]]);
      }
    });

    it(`of ${how} receives errors from before there is a protocol, unless there is an onError`, async () => {
      for (const isOther of [false, true]) {
        const [others, servers]: [unknown[], unknown[]] = [[], []];
        const handler: ClientErrorHandler = (error, writer) => servers.push((error as { readonly code?: string }).code, writer);
        const onError = isOther ? { onError: (error: unknown) => others.push((error as { readonly code?: string }).code) } : {};
        const server = await create({ onClientError: handler, proxyProtocol: true, ...onError });
        await provokeOn(server, "no header\n");
        assert.deepEqual([others, servers], isOther ? [["ERR_PROXY_PROTOCOL"], []] : [[], ["ERR_PROXY_PROTOCOL", null]]);
      }
    });

    it(`of ${how} must be a function`, async () => {
      await assert.rejects(create({ onClientError: 5 as never }), { code: "ERR_INVALID_ARG_TYPE", message: /onClientError/ });
    });
  }

  it("is not called for a callback that succeeds or that closes its writer", async () => {
    const path = socketPath();
    const reports: unknown[] = [];
    const server = await startUnixServer(
      async (_reader, writer) => {
        writer.close();
        await writer.waitClosed();
      },
      path,
      { onClientError: (error) => reports.push(error) },
    );
    await provoke(server, path);
    assert.deepEqual(reports, []);
  });
});

describe("onError of a server of protocols", () => {
  it("gets the error of the factory; the client is closed, and the server goes on", async () => {
    const path = socketPath();
    const errors: unknown[] = [];
    let fails = true;
    const factory = (): BaseProtocol => {
      if (fails) throw failure;
      return new BaseProtocol();
    };
    const server = await createUnixServer(factory, path, { onError: (error) => errors.push(error) });
    const [reader, writer] = await openUnixConnection(path);
    assert.equal((await reader.read().catch(() => Buffer.alloc(0))).length, 0);
    assert.deepEqual(errors, [failure]);
    fails = false;
    const [, secondWriter] = await openUnixConnection(path);
    for (const one of [writer, secondWriter]) {
      one.close();
      await one.waitClosed().catch(() => {});
    }
    await server.shutdown();
  });

  for (const [what, onError] of [
    [
      "throws",
      () => {
        throw new Error("the handler, on purpose");
      },
    ],
    ["rejects", () => Promise.reject(new Error("the handler, on purpose"))],
  ] as const) {
    it(`that ${what} causes a process warning, and the server goes on`, async () => {
      const path = socketPath();
      const warning = nextWarning();
      const factory = (): BaseProtocol => {
        throw failure;
      };
      const server = await createUnixServer(factory, path, { onError });
      for (let client = 0; client < 2; client += 1) {
        const [reader, writer] = await openUnixConnection(path);
        assert.equal((await reader.read().catch(() => Buffer.alloc(0))).length, 0);
        writer.close();
        await writer.waitClosed().catch(() => {});
      }
      assert.match((await warning).message, /the handler, on purpose/);
      await server.shutdown();
    });
  }

  it("without one, the error is a process warning", async () => {
    const path = socketPath();
    const warning = nextWarning();
    const server = await createUnixServer(() => {
      throw failure;
    }, path);
    const [reader, writer] = await openUnixConnection(path);
    await reader.read().catch(() => {});
    assert.match((await warning).message, /on purpose/);
    writer.close();
    await writer.waitClosed().catch(() => {});
    await server.shutdown();
  });
});
