/** The types of streams, callbacks, options and errors. */
import "../support/leak-guard.js";
import type { NonSharedBuffer as NodeBuffer } from "node:buffer";
import { describe, it } from "node:test";
import {
  type ClientConnectedCallback,
  type ClientErrorHandler,
  type ConnectionOptions,
  createServer,
  type Data,
  type IncompleteReadError,
  type InvalidStateError,
  type IpSocketAddress,
  type LineTooLongError,
  type NonSharedBuffer,
  type NonSharedUint8Array,
  type OpenConnectionOptions,
  type OpenUnixConnectionOptions,
  type Protocol,
  type Server,
  type SignalOptions,
  type StartServerOptions,
  type StartUnixServerOptions,
  StreamReader,
  type StreamReaderOptions,
  type StreamReaderProtocolOptions,
  StreamWriter,
} from "asyncio-streams";
import { accepts, compiled, Echo, type Equal, same } from "./same.js";

describe("the type helper itself", () => {
  it("distinguishes types", () => {
    same<Equal<string, string>, true>();
    same<Equal<string, string | null>, false>();
    same<Equal<unknown, string>, false>();
    same<Equal<never, string>, false>();
    // @ts-expect-error the types differ
    compiled(() => same<string, number>());
  });
});

describe("received bytes", () => {
  it("have the types of Node.js, which are accepted where shared memory is refused", () => {
    same<NonSharedBuffer, NodeBuffer>();
    same<NonSharedUint8Array, Uint8Array<ArrayBuffer>>();
    compiled(async ({ reader }) => {
      accepts<NonSharedBuffer>(await reader.peek(1), ...(await reader.readlines()));
      for await (const chunk of reader.chunks()) same<typeof chunk, NonSharedBuffer>();
      for await (const lines of reader.lineBatches()) same<typeof lines, NonSharedBuffer[]>();
      const web = reader.toWeb();
      same<typeof web, ReadableStream<Uint8Array<ArrayBuffer>>>();
    });
    accepts<Protocol["dataReceived"]>((data) => same<typeof data, NonSharedBuffer>());
  });

  it("may be passed on as any bytes", () => {
    compiled(async ({ reader, writer }) => {
      writer.write(await reader.read());
      reader.unread(Buffer.alloc(1) as Uint8Array);
      StreamReader.from(reader.toWeb());
      StreamWriter.from(writer.toWeb());
    });
  });
});

describe("StreamReader types", () => {
  it("reads Buffers", () => {
    compiled(({ reader }) => {
      const results = [reader.read(), reader.read(5), reader.readline(), reader.readexactly(5), reader.readuntil()];
      same<(typeof results)[number], Promise<NonSharedBuffer>>();
    });
  });

  it("iterates over Buffers", () => {
    compiled(async ({ reader }) => {
      for await (const line of reader) same<typeof line, NonSharedBuffer>();
    });
    accepts<AsyncIterable<Uint8Array>>(new StreamReader());
  });

  it("accepts text, bytes and lists of both as separator, readonly ones too", () => {
    compiled(({ reader }) => {
      const separators = ["\r\n", "\n"] as const;
      const bytes: readonly Uint8Array[] = [Uint8Array.of(0)];
      const mixed: (string | Uint8Array)[] = ["\n", Uint8Array.of(0)];
      return [
        reader.readuntil("\n"),
        reader.readuntil(Uint8Array.of(0)),
        reader.readuntil(separators),
        reader.readuntil(bytes),
        reader.readuntil(mixed),
      ];
    });
    // @ts-expect-error no number
    compiled(({ reader }) => reader.readuntil(10));
    // @ts-expect-error no list of numbers
    compiled(({ reader }) => reader.readuntil([10]));
  });

  it("asks readexactly for a number", () => {
    // @ts-expect-error no number
    compiled(({ reader }) => reader.readexactly());
    // @ts-expect-error text
    compiled(({ reader }) => reader.readexactly("5"));
  });

  it("has nullable exceptions", () => {
    same<ReturnType<StreamReader["exception"]>, Error | null>();
  });
});

describe("StreamWriter types", () => {
  it("writes bytes and text, any iterable of them, readonly ones too", () => {
    same<Parameters<StreamWriter["write"]>, [data: Data]>();
    compiled(({ writer }) => {
      writer.write("a");
      writer.write(Buffer.from("a"));
      writer.writelines(["a", Uint8Array.of(1)] as const);
      writer.writelines(new Set(["a"]));
    });
    // @ts-expect-error no number
    compiled(({ writer }) => writer.write(5));
    // @ts-expect-error no list of numbers
    compiled(({ writer }) => writer.writelines([5]));
  });

  it("can be disposed of", () => {
    compiled(({ writer }) => accepts<AsyncDisposable>(writer));
    compiled(async () => {
      await using server = await createServer(() => new Echo(), null, 0);
      same<typeof server, Server<IpSocketAddress>>();
    });
  });

  it("has a transport that cannot be replaced", () => {
    // @ts-expect-error readonly
    compiled(({ writer, transport }) => (writer.transport = transport));
  });
});

describe("callbacks", () => {
  it("may be plain or async, and take fewer arguments", () => {
    accepts<ClientConnectedCallback>(
      () => {},
      async () => {},
      (reader) => void reader.readline(),
      async (reader, writer) => writer.write(await reader.readline()),
      (_reader, _writer, { signal }) => signal.throwIfAborted(),
    );
  });

  it("know the types of their arguments", () => {
    accepts<ClientConnectedCallback>((reader, writer, context) => {
      same<typeof reader, StreamReader>();
      same<typeof writer, StreamWriter>();
      same<typeof context.signal, AbortSignal>();
    });
    accepts<ClientErrorHandler>((error, writer) => {
      same<typeof error, unknown>();
      same<typeof writer, StreamWriter | null>();
    });
  });

  it("may not have more parameters than arguments", () => {
    // @ts-expect-error a fourth argument
    accepts<ClientConnectedCallback>((_reader, _writer, _context, fourth: string) => void fourth);
  });
});

describe("options", () => {
  it("accept undefined for every key, under exactOptionalPropertyTypes too", () => {
    const unset = { limit: undefined, signal: undefined, sock: undefined };
    accepts<SignalOptions>({ signal: undefined });
    accepts<StreamReaderOptions>({ limit: undefined });
    accepts<StreamReaderProtocolOptions>({ onClientError: undefined });
    accepts<OpenUnixConnectionOptions>(unset);
    accepts<OpenConnectionOptions>({
      ...unset,
      family: undefined,
      localAddr: undefined,
      happyEyeballsDelay: undefined,
      interleave: undefined,
      allErrors: undefined,
    });
    accepts<StartUnixServerOptions>({
      ...unset,
      backlog: undefined,
      startServing: undefined,
      cleanupSocket: undefined,
      mode: undefined,
      maxConnections: undefined,
      onClientError: undefined,
    });
    accepts<StartServerOptions>({
      ...unset,
      family: undefined,
      backlog: undefined,
      startServing: undefined,
      reuseAddress: undefined,
      reusePort: undefined,
      keepAlive: undefined,
      maxConnections: undefined,
      onClientError: undefined,
    });
    accepts<ConnectionOptions>({ family: undefined });
  });

  it("refuse unknown keys, and wrong types", () => {
    // @ts-expect-error a slip of the pen
    accepts<StreamReaderOptions>({ limits: 5 });
    // @ts-expect-error text
    accepts<StreamReaderOptions>({ limit: "5" });
    // @ts-expect-error the controller in place of its signal
    accepts<SignalOptions>({ signal: new AbortController() });
    // @ts-expect-error no such family
    accepts<OpenConnectionOptions>({ family: 5 });
  });

  it("may be readonly, as may a local address", () => {
    const options = { localAddr: ["127.0.0.1", 0], limit: 10 } as const;
    accepts<OpenConnectionOptions>(options);
  });
});

describe("errors", () => {
  it("have literal codes, to switch on", () => {
    same<IncompleteReadError["code"], "ERR_INCOMPLETE_READ">();
    same<InvalidStateError["code"], "ERR_INVALID_STATE">();
    same<LineTooLongError["code"], "ERR_LINE_TOO_LONG">();
  });

  it("have the expected number, or null", () => {
    same<IncompleteReadError["expected"], number | null>();
    same<IncompleteReadError["partial"], NonSharedBuffer>();
  });
});
