/** `close()` over TLS while the peer goes on sending: a little more is dropped, then the connection is cut, long before `sslShutdownTimeout`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import tls from "node:tls";
import type { StreamReader, StreamWriter } from "asyncio-streams";
import { addressOf, openTo } from "../support/addresses.js";
import { identity, trust } from "../support/certificates.js";
import { tcp, unix } from "../support/pairs.js";
import { Relay } from "../support/relay.js";
import { socketPath } from "../support/temporary.js";
import { HOST } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

/** Longer than any test takes. */
const SHUTDOWN_MS = 120_000;
const CHUNK = Buffer.alloc(65_536);
const CUT = {
  code: "ERR_SSL_APPLICATION_DATA_AFTER_CLOSE_NOTIFY",
  message: /^the peer went on sending after close_notify: the connection was cut after \d+ bytes$/,
};

interface Download extends AsyncDisposable {
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
  readonly peer: tls.TLSSocket;
  readonly relay: Relay;
}

/** Opens a connection to Node's TLS behind a relay. */
async function download(isUnix: boolean, begin: "ssl" | "startTls", maxVersion: tls.SecureVersion): Promise<Download> {
  const server = tls.createServer({ ...identity("server"), maxVersion, allowHalfOpen: true });
  server.listen(isUnix ? { path: socketPath() } : { host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const relay = await Relay.to(addressOf(server));
  const secured = once(server, "secureConnection") as Promise<[tls.TLSSocket]>;
  const ssl = { ssl: trust, ...HOST, sslShutdownTimeout: SHUTDOWN_MS };
  const [reader, writer] = await openTo(relay.address, begin === "ssl" ? ssl : {});
  if (begin === "startTls") await writer.startTls(trust, { ...HOST, sslShutdownTimeout: SHUTDOWN_MS });
  const [peer] = await secured;
  peer.on("error", () => {});
  return {
    reader,
    writer,
    peer,
    relay,
    async [Symbol.asyncDispose]() {
      writer.abort();
      peer.destroy();
      await relay[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Sends as long as the connection takes it. */
function flood(peer: tls.TLSSocket): void {
  if (peer.destroyed) return;
  if (peer.write(CHUNK)) setImmediate(() => flood(peer));
  else peer.once("drain", () => flood(peer));
}

for (const kind of [unix, tcp]) {
  for (const begin of ["ssl", "startTls"] as const) {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      describe(`close() in the middle of a download over ${kind.name}, ${version} by ${begin}`, () => {
        it("cuts a peer that goes on sending, and waitClosed() rejects", async () => {
          await using connection = await download(kind === unix, begin, version);
          const { reader, writer, peer, relay } = connection;
          flood(peer);
          await reader.readexactly(500_000);
          relay.link.toServer.stop("silence"); // so that it does not hear our close_notify
          const before = relay.link.toClient.passed;
          writer.close();
          await assert.rejects(writer.waitClosed(), CUT);
          const passed = relay.link.toClient.passed - before;
          assert.ok(passed < 40_000_000, `${passed} bytes more`);
        });

        it("drops a little more, up to the peer's close_notify, and ends in order", async () => {
          await using connection = await download(kind === unix, begin, version);
          const { writer, peer } = connection;
          peer.resume();
          const ended = once(peer, "end");
          writer.close();
          await ended;
          peer.end(Buffer.alloc(100_000));
          await writer.waitClosed();
        });

        it("does not read a peer that sends on while our own data waits for it, and cuts it after that", async () => {
          await using connection = await download(kind === unix, begin, version);
          const { writer, peer } = connection;
          writer.write(Buffer.alloc(24_000_000)); // more than the system takes
          writer.close();
          flood(peer);
          await until(() => peer.writableNeedDrain);
          peer.resume();
          await assert.rejects(writer.waitClosed(), CUT);
        });

        it("sends what was written before to a peer that sends first and reads later", async () => {
          await using connection = await download(kind === unix, begin, version);
          const { writer, peer } = connection;
          const length = 8_000_000;
          writer.write(Buffer.alloc(length));
          writer.close();
          const sent = new Promise((resolve) => peer.write(Buffer.alloc(200_000), resolve)); // less than the system and we take
          await sent;
          let received = 0;
          peer.on("data", (chunk: Buffer) => {
            received += chunk.length;
          });
          await once(peer, "end");
          assert.equal(received, length);
          peer.end();
          await writer.waitClosed();
        });
      });
    }
  }
}
