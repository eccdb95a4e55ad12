/** The runtime's own `node:tls` at the other end. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import tls from "node:tls";
import type { ClientConnectedCallback, SocketAddress } from "asyncio-streams";
import { addressOf, dial } from "../support/addresses.js";
import { identity, trust } from "../support/certificates.js";
import { kinds, unix } from "../support/pairs.js";
import { payload } from "../support/payload.js";
import { socketPath } from "../support/temporary.js";
import { checkEcho, connectTo, listen } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

const BYTES = 4_000_000;

/** Everything that comes, up to the end. */
async function collect(socket: tls.TLSSocket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
}

/** Bytes longer than a period of the payload. */
function bytes(): Buffer {
  return Buffer.concat(Array.from({ length: BYTES / 1_000_000 }, (_, part) => payload(1_000_000, part * 1_000_000)));
}

function nodeClient(address: SocketAddress, options: tls.ConnectionOptions): tls.TLSSocket {
  return tls.connect({ ...dial(address), ...trust, servername: "localhost", ...options }).on("error", () => {});
}

/** Listens with `tls.createServer()`; ends with the connections that it had. */
async function nodeServer(
  isUnix: boolean,
  options: tls.TlsOptions,
  onSecure: (socket: tls.TLSSocket) => void,
): Promise<AsyncDisposable & { address: SocketAddress; sockets: tls.TLSSocket[] }> {
  const sockets: tls.TLSSocket[] = [];
  const server = tls.createServer({ ...identity("server"), ...options }, (socket) => {
    sockets.push(socket.on("error", () => {}));
    onSecure(socket);
  });
  server.listen(isUnix ? { path: socketPath() } : { host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  return {
    sockets,
    address: addressOf(server),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

for (const kind of kinds) {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const versions = { minVersion: version, maxVersion: version } as const;

    describe(`tls.connect() over ${kind.name}, ${version}`, () => {
      it("is served, and its end() is our EOF", async () => {
        await using ours = await listen(kind, { ssl: { ...identity("server"), ...versions } });
        const client = nodeClient(ours.address, {});
        client.write("hello\n");
        client.setEncoding("utf8");
        const [answer] = (await once(client, "data")) as [string];
        assert.equal(answer, "hello\n");
        client.end();
        await until(() => client.closed);
        await until(() => ours.served[0]?.writer.isClosing() === true);
        await ours.served[0]?.writer.waitClosed();
        assert.deepEqual(ours.errors, []);
      });

      it("reads our EOF after every byte", async () => {
        const speak: ClientConnectedCallback = (_reader, writer) => {
          writer.write(bytes());
          writer.close();
        };
        await using ours = await listen(kind, { ssl: { ...identity("server"), ...versions } }, speak);
        const client = nodeClient(ours.address, {});
        assert.ok((await collect(client)).equals(bytes()));
        await until(() => client.closed);
        await ours.served[0]?.writer.waitClosed();
      });

      it("may send everything and end: no byte is lost", async () => {
        let received: Buffer | undefined;
        const hear: ClientConnectedCallback = async (reader) => {
          received = await reader.read();
        };
        await using ours = await listen(kind, { ssl: { ...identity("server"), ...versions } }, hear);
        const client = nodeClient(ours.address, {}).resume();
        client.end(bytes());
        await until(() => received !== undefined);
        assert.ok(received?.equals(bytes()));
        await until(() => client.closed);
      });

      it("that ends its side ends both: bytes we wrote before arrive, later ones do not", async () => {
        const hear: ClientConnectedCallback = async (reader, writer) => {
          writer.write("before");
          await reader.read();
          writer.write("after");
          await assert.rejects(writer.drain());
        };
        await using ours = await listen(kind, { ssl: { ...identity("server"), ...versions } }, hear);
        const client = nodeClient(ours.address, { allowHalfOpen: true } as tls.ConnectionOptions);
        await once(client, "secureConnect");
        client.end("that is all");
        assert.equal((await collect(client)).toString(), "before");
        client.destroy();
        await ours.served[0]?.writer.waitClosed();
        assert.deepEqual(ours.errors, []);
      });

      it("over a connection that startTls() secured", async () => {
        const { server } = await kind.serve(async (reader, writer) => {
          assert.equal((await reader.readline()).toString(), "STARTTLS\n");
          writer.write("go\n");
          await writer.startTls({ ...identity("server"), ...versions });
          writer.write(await reader.readline());
          writer.close();
        });
        const socket = net.connect(dial(server.sockets[0]!.getsockname()));
        socket.write("STARTTLS\n");
        await once(socket, "data");
        const client = tls.connect({ socket, ...trust, servername: "localhost" });
        client.write("secret\n");
        assert.equal((await collect(client)).toString(), "secret\n");
        await until(() => client.closed);
        server.close();
        await server.waitClosed();
      });
    });

    describe(`tls.createServer() over ${kind.name}, ${version}`, () => {
      it("serves our client, and answers its close_notify", async () => {
        await using theirs = await nodeServer(kind === unix, versions, (socket) => socket.pipe(socket));
        await checkEcho(await connectTo(theirs.address));
        await until(() => theirs.sockets[0]?.closed === true);
      });

      it("is our EOF when it ends, after every byte", async () => {
        await using theirs = await nodeServer(kind === unix, versions, (socket) => socket.end(bytes()));
        const [reader, writer] = await connectTo(theirs.address);
        assert.ok((await reader.read()).equals(bytes()));
        await writer.waitClosed();
      });

      it("gets the bytes written before close(), although it has ended its side", async () => {
        let received: Promise<Buffer> | undefined;
        await using theirs = await nodeServer(kind === unix, versions, (socket) => {
          received = collect(socket);
        });
        const [, writer] = await connectTo(theirs.address);
        writer.write(bytes());
        writer.close();
        await writer.waitClosed();
        assert.ok((await received)?.equals(bytes()));
      });

      it("is cut off after sslShutdownTimeout if it does not answer close_notify", async () => {
        await using theirs = await nodeServer(kind === unix, { ...versions, allowHalfOpen: true } as tls.TlsOptions, (socket) =>
          socket.resume(),
        );
        const [, writer] = await connectTo(theirs.address, { sslShutdownTimeout: 20 });
        writer.close();
        await assert.rejects(writer.waitClosed(), { name: "ConnectionTimeoutError", code: "ETIMEDOUT" });
      });
    });
  }
}
