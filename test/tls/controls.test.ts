/** What a runtime's own `node:tls` cannot do, without this library: the reasons that `docs/runtimes.md` gives. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import tls from "node:tls";
import { identity, trust } from "../support/certificates.js";
import { runtime } from "../support/runtime.js";
import { turns, until } from "../support/turns.js";

async function listening(options: tls.TlsOptions): Promise<{ readonly server: tls.Server; readonly port: number }> {
  const server = tls.createServer(options, (socket) => {
    socket.on("error", () => {});
    socket.end("hello\n");
  });
  server.on("tlsClientError", () => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as net.AddressInfo).port };
}

/** Connects; returns the connection's session once it has ended, or the error. */
async function connect(port: number, options: tls.ConnectionOptions): Promise<{ error?: Error; session?: Buffer; reused?: boolean }> {
  const socket = tls.connect({ port, host: "127.0.0.1", servername: "localhost", ...options });
  const result: { error?: Error; session?: Buffer; reused?: boolean } = {};
  let closed = false;
  socket.on("error", (error) => {
    result.error = error;
  });
  socket.on("session", (session) => {
    result.session = session;
  });
  socket.on("secureConnect", () => {
    const session = socket.getSession();
    if (session !== undefined) result.session ??= session;
    result.reused = socket.isSessionReused();
  });
  socket.on("close", () => {
    closed = true;
  });
  socket.resume();
  await until(() => closed);
  return result;
}

describe("node:tls of this runtime, by itself", () => {
  it(`${runtime === "node" ? "connects" : "does not connect"} with a pre-shared key`, async () => {
    const psk = Buffer.alloc(16, 7);
    const options = { ciphers: "PSK", maxVersion: "TLSv1.2" } as const;
    const { server, port } = await listening({ ...options, pskCallback: () => psk }).catch(() => ({ server: null, port: 0 }));
    if (server !== null) {
      const pskCallback = (): { psk: Buffer; identity: string } => ({ psk, identity: "me" });
      const { error } = await connect(port, { ...options, pskCallback, checkServerIdentity: () => undefined });
      assert.equal(error === undefined, runtime === "node", String(error));
      server.close();
    }
  });

  it(`${runtime === "deno" ? "does not resume" : "resumes"} the session of a client`, async () => {
    const { server, port } = await listening({ ...identity("server"), maxVersion: "TLSv1.2" });
    const { session } = await connect(port, trust);
    const again = await connect(port, { ...trust, ...(session === undefined ? {} : { session }) });
    assert.equal(again.error === undefined && again.reused === true, runtime !== "deno");
    server.close();
  });

  it(`${runtime === "deno" ? "does not send" : "sends"} the alert of a failed handshake over a stream`, async () => {
    const server = net.createServer((socket) => {
      const carrier = new Duplex({
        read() {},
        write(chunk: Buffer, _encoding, done) {
          socket.write(chunk, () => done());
        },
      });
      socket.on("data", (chunk) => carrier.push(chunk)).on("error", () => {});
      const secured = new tls.TLSSocket(carrier, { isServer: true, ...identity("server"), ALPNProtocols: ["a"] } as tls.TLSSocketOptions);
      secured.on("error", async () => {
        await turns(20);
        socket.destroySoon();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    const { error } = await connect(port, { ...trust, ALPNProtocols: ["b"] });
    assert.equal(/NO_APPLICATION_PROTOCOL/.test(String((error as { code?: string } | undefined)?.code)), runtime !== "deno", String(error));
    server.close();
  });

  it("accepts a server without a certificate, with which every handshake fails", async () => {
    const { server, port } = await listening({});
    assert.ok((await connect(port, trust)).error instanceof Error);
    server.close();
  });
});
