/** The kinds of socket of `support/pairs.ts`, with TLS over them; and TLS servers that note what becomes of their clients. */
import assert from "node:assert/strict";
import type {
  ClientConnectedCallback,
  OpenConnectionOptions,
  Server,
  SocketAddress,
  StartServerOptions,
  StreamReader,
  StreamWriter,
} from "asyncio-streams";
import { openTo } from "./addresses.js";
import { identity, trust } from "./certificates.js";
import { echo } from "./echo.js";
import { type Kind, type Pair, tcp, unix } from "./pairs.js";

/** TLS as a TLS kind speaks it. */
export interface TlsSetting {
  /** From the first byte on, or after `startTls()` on both ends. */
  readonly begin: "ssl" | "startTls";
  readonly version: "TLSv1.2" | "TLSv1.3";
}

/** A kind of socket, with TLS over it: the server shows the certificate for localhost. */
export function overTls(kind: Kind, { begin, version }: TlsSetting): Kind {
  const versions = { minVersion: version, maxVersion: version };
  const serverSsl = { ...identity("server"), ...versions };
  const clientSsl = { ...trust, ...versions };
  const name = `${kind.name}, ${version} by ${begin}`;
  if (begin === "ssl") {
    return {
      name,
      async serve(callback, options) {
        const { server, connect } = await kind.serve(callback, { ssl: serverSsl, ...options });
        return { server, connect: (connectOptions) => connect({ ssl: clientSsl, serverHostname: "localhost", ...connectOptions }) };
      },
    };
  }
  return {
    name,
    async serve(callback, options) {
      const upgradeFirst: ClientConnectedCallback = async (reader, writer, context) => {
        await writer.startTls(serverSsl);
        return callback(reader, writer, context);
      };
      const { server, connect } = await kind.serve(upgradeFirst, options);
      return {
        server,
        async connect(connectOptions) {
          const [reader, writer] = await connect(connectOptions);
          await writer.startTls(clientSsl, { serverHostname: "localhost" });
          return [reader, writer];
        },
      };
    },
  };
}

/** Unix sockets with TLS from the start. */
export const unixTls: Kind = overTls(unix, { begin: "ssl", version: "TLSv1.3" });

/** TCP with TLS from the start. */
export const tcpTls: Kind = overTls(tcp, { begin: "ssl", version: "TLSv1.3" });

/** A TLS server of ours under test. */
export interface Listening extends AsyncDisposable {
  readonly server: Server;
  readonly address: SocketAddress;
  /** What `onClientError` was told. */
  readonly errors: { readonly error: Error & { code?: string }; readonly writer: StreamWriter | null }[];
  /** The clients that reached the callback. */
  readonly served: { readonly reader: StreamReader; readonly writer: StreamWriter }[];
  /** Connects, trusting the test's authority and expecting localhost, unless the options say otherwise. */
  readonly connect: (options?: OpenConnectionOptions) => Promise<[StreamReader, StreamWriter]>;
}

/** Listens with the certificate for localhost, unless the options say otherwise. */
export async function listen(kind: Kind, options: StartServerOptions = {}, callback: ClientConnectedCallback = echo): Promise<Listening> {
  const errors: Listening["errors"][number][] = [];
  const served: Listening["served"][number][] = [];
  const { server } = await kind.serve(
    (reader, writer, context) => {
      served.push({ reader, writer });
      return callback(reader, writer, context);
    },
    { ssl: identity("server"), onClientError: (error, writer) => errors.push({ error: error as Error, writer }), ...options },
  );
  const address = server.sockets[0]!.getsockname();
  return {
    server,
    address,
    errors,
    served,
    connect: (connectOptions) => connectTo(address, connectOptions),
    async [Symbol.asyncDispose]() {
      server.close();
      server.abortClients();
      await server.waitClosed();
    },
  };
}

/** Connects over TLS to an address. */
export function connectTo(address: SocketAddress, options?: OpenConnectionOptions): Promise<[StreamReader, StreamWriter]> {
  return openTo(address, { ssl: trust, serverHostname: "localhost", ...options });
}

/** Asserts that a line comes back, and closes the connection. */
export async function checkEcho([reader, writer]: readonly [StreamReader, StreamWriter]): Promise<void> {
  writer.write("is anybody there?\n");
  assert.equal((await reader.readline()).toString(), "is anybody there?\n");
  writer.close();
  await writer.waitClosed();
}

/** Whom the clients of the tests expect. */
export const HOST: { readonly serverHostname: string } = { serverHostname: "localhost" };

/** Changes both ends over. */
export async function secure({ client, peer }: Pair): Promise<void> {
  await Promise.all([client.writer.startTls(trust, HOST), peer.writer.startTls(identity("server"))]);
}

/** Sends a line each way. */
export async function checkTalk({ client, peer }: Pair): Promise<void> {
  for (const [from, to] of [
    [client, peer],
    [peer, client],
  ] as const) {
    from.writer.write("over TLS\n");
    assert.equal((await to.reader.readline()).toString(), "over TLS\n");
  }
}
