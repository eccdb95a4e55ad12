/** The types of connections: their extra info, transports and protocols. */
import "../support/leak-guard.js";
import { describe, it } from "node:test";
import {
  type ClientConnectedCallback,
  createConnection,
  createUnixConnection,
  type IpSocketAddress,
  openConnection,
  openUnixConnection,
  type Protocol,
  type ProtocolFactory,
  type Server,
  type SocketAddress,
  type StartUnixServerOptions,
  StreamReader,
  StreamReaderProtocol,
  StreamWriter,
  startServer,
  startUnixServer,
  type Transport,
  type TransportSocket,
} from "asyncio-streams";
import { accepts, compiled, Echo, same } from "./same.js";

const none = (): void => {};

describe("getExtraInfo", () => {
  it("gives each key its type, or null", () => {
    compiled(({ writer, transport }) => {
      const peername = writer.getExtraInfo("peername");
      same<typeof peername, SocketAddress | null>();
      const sockname = transport.getExtraInfo("sockname");
      same<typeof sockname, SocketAddress | null>();
      const socket = writer.getExtraInfo("socket");
      same<typeof socket, TransportSocket | null>();
    });
  });

  it("gives the default its type, in place of null", () => {
    compiled(({ writer, transport }) => {
      const peername = writer.getExtraInfo("peername", 5 as const);
      same<typeof peername, SocketAddress | 5>();
      const socket = transport.getExtraInfo("socket", undefined);
      same<typeof socket, TransportSocket | undefined>();
    });
  });

  it("gives unknown for a key that is not a literal", () => {
    compiled(({ writer, transport }) => {
      const other = writer.getExtraInfo("compression" as string);
      same<typeof other, unknown>();
      const another = transport.getExtraInfo("compression" as string, 5);
      same<typeof another, unknown>();
    });
  });

  it("refuses a literal that is no key", () => {
    // @ts-expect-error misspelt
    compiled(({ writer }) => writer.getExtraInfo("peernam"));
    // @ts-expect-error misspelt, with a default
    compiled(({ writer }) => writer.getExtraInfo("peernam", null));
    // @ts-expect-error misspelt
    compiled(({ transport }) => transport.getExtraInfo("peernam"));
  });

  it("gives addresses of the kind that the connection has", () => {
    compiled(async () => {
      const [, unix] = await openUnixConnection("/run/app.sock");
      const path = unix.getExtraInfo("peername");
      same<typeof path, string | null>();
      const [, tcp] = await openConnection("localhost", 1);
      const address = tcp.getExtraInfo("sockname", undefined);
      same<typeof address, IpSocketAddress | undefined>();
      const socket = tcp.transport.getExtraInfo("socket");
      same<typeof socket, TransportSocket<IpSocketAddress> | null>();
      const either = unix as StreamWriter<string> | StreamWriter<IpSocketAddress>;
      const peername = either.getExtraInfo("peername");
      same<typeof peername, SocketAddress | null>();
      const [transport] = await createUnixConnection(() => new Echo(), "/run/app.sock");
      const own = transport.getExtraInfo("sockname");
      same<typeof own, string | null>();
      accepts<StreamWriter>(unix, tcp);
      // @ts-expect-error its addresses may be of either kind
      accepts<StreamWriter<string>>(unix as StreamWriter);
    });
  });

  it("gives addresses of the kind that a server has to its callback, and of either kind behind a proxy", () => {
    compiled(async () => {
      const unix = await startUnixServer((_reader, writer) => {
        const peername = writer.getExtraInfo("peername");
        same<typeof peername, string | null>();
      }, "/run/app.sock");
      const path = unix.sockets.map((socket) => socket.getsockname());
      same<typeof path, string[]>();
      const tcp = await startServer(
        (_reader, writer) => {
          const peername = writer.getExtraInfo("peername");
          same<typeof peername, IpSocketAddress | null>();
        },
        null,
        0,
        { proxyProtocol: false },
      );
      same<typeof tcp, Server<IpSocketAddress>>();
      await startUnixServer(
        (_reader, writer) => {
          const peername = writer.getExtraInfo("peername");
          same<typeof peername, SocketAddress | null>();
        },
        "/run/app.sock",
        { proxyProtocol: { timeout: 1 } },
      );
      const options: StartUnixServerOptions = {};
      const anyKind: ClientConnectedCallback = () => {};
      await startUnixServer(anyKind, "/run/app.sock", options);
      await startServer(anyKind, null, 0);
      // @ts-expect-error a misspelt option
      await startUnixServer(anyKind, "/run/app.sock", { limits: 5 });
    });
  });
});

describe("transports and protocols", () => {
  it("infers the protocol from its factory", () => {
    compiled(async () => {
      const tcp = await createConnection(() => new Echo(), "localhost", 1);
      same<typeof tcp, [Transport<IpSocketAddress>, Echo]>();
      const unix = await createUnixConnection(() => new Echo(), "/run/app.sock");
      same<typeof unix, [Transport<string>, Echo]>();
      const streams = await createUnixConnection(() => new StreamReaderProtocol(new StreamReader()), "/run/app.sock");
      same<typeof streams, [Transport<string>, StreamReaderProtocol]>();
    });
  });

  it("accepts any object with the methods as a protocol", () => {
    compiled(() => {
      const plain = {
        connectionMade: none,
        dataReceived: none,
        eofReceived: () => true,
        connectionLost: none,
        pauseWriting: none,
        resumeWriting: none,
      };
      accepts<Protocol>(plain, new Echo());
      accepts<ProtocolFactory>(
        () => plain,
        () => new Echo(),
      );
    });
    // @ts-expect-error the rest of the methods is missing
    accepts<ProtocolFactory>(() => ({ dataReceived() {} }));
  });

  it("gives a pair of streams", () => {
    compiled(async () => {
      const pair = await openUnixConnection("/run/app.sock");
      same<typeof pair, [StreamReader, StreamWriter<string>]>();
      const tcp = await openConnection("localhost", 1);
      same<typeof tcp, [StreamReader, StreamWriter<IpSocketAddress>]>();
    });
  });
});
