/** 64 MiB each way at the same time, with a checksum, against OpenSSL's programs and the runtime's own TLS. Against CPython: `python-peers.test.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { describe, it } from "node:test";
import tls from "node:tls";
import { type ClientConnectedCallback, openConnection, type StreamReader, type StreamWriter } from "asyncio-streams";
import { dial } from "../support/addresses.js";
import { identity, trust } from "../support/certificates.js";
import { tcp } from "../support/pairs.js";
import { checksum, payload, receiveBytes, sendBytes } from "../support/payload.js";
import { connectTo, listen } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";
import { OpenSsl, options, shown } from "./openssl.js";

const MIB = 1_048_576;
const TOTAL = 64 * MIB;

/** Sends and receives everything; returns the checksum of what came. */
async function exchange([reader, writer]: readonly [StreamReader, StreamWriter]): Promise<string> {
  const [, received] = await Promise.all([sendBytes(writer, TOTAL), receiveBytes(reader, TOTAL)]);
  return received;
}

/** A server's side of it, whose close() follows when all is done. */
function exchanging(tell: (received: Promise<string>) => void): ClientConnectedCallback {
  return async (reader, writer) => {
    const received = exchange([reader, writer]);
    tell(received);
    await received;
    writer.close();
  };
}

/** The same with Node's own: sends everything, and hashes what comes, up to the end or to as much. */
async function nodeExchange(socket: tls.TLSSocket): Promise<string> {
  const hash = createHash("sha1");
  let received = 0;
  const all = new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      received += chunk.length;
      if (received >= TOTAL) resolve();
    });
  });
  for (let sent = 0; sent < TOTAL; sent += MIB / 4) {
    if (!socket.write(payload(MIB / 4, sent))) await once(socket, "drain");
  }
  await all;
  assert.equal(received, TOTAL);
  return hash.digest("hex");
}

/** Lines that `s_server -rev` sends back reversed; it takes up to 16 KiB. */
function line(number: number): string {
  return payload(6_144, number * 6_144).toString("base64");
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  const versions = { minVersion: version, maxVersion: version };
  const flag = version === "TLSv1.2" ? "-tls1_2" : "-tls1_3";

  describe(`64 MiB each way, ${version}`, () => {
    it("go through our server and openssl s_client", options, async () => {
      let received: Promise<string> | undefined;
      const callback = exchanging((told) => {
        received = told;
      });
      await using ours = await listen(tcp, { ssl: { ...identity("server"), ...versions } }, callback);
      await using client = OpenSsl.client(ours.address, flag);
      for (let sent = 0; sent < TOTAL; sent += MIB / 4) await client.send(payload(MIB / 4, sent));
      assert.equal(await client.end(), 0, client.complaints);
      assert.deepEqual([client.bytes, client.checksum(), await received], [TOTAL, await checksum(TOTAL), client.checksum()]);
      assert.deepEqual(ours.errors, []);
    });

    it("go through our client and openssl s_server", options, async () => {
      await using server = new OpenSsl("s_server", "-accept", "127.0.0.1:0", flag, "-rev", ...shown("server"));
      await until(() => /ACCEPT/.test(server.output));
      const port = Number(/ACCEPT .*:(\d+)/.exec(server.output)?.[1]);
      const [reader, writer] = await openConnection("127.0.0.1", port, { ssl: { ...trust, ...versions }, serverHostname: "localhost" });
      const lines = TOTAL / 8_192;
      const send = async (): Promise<void> => {
        for (let number = 0; number < lines; number += 1) {
          writer.write(`${line(number)}\n`);
          await writer.drain();
        }
      };
      const receive = async (): Promise<void> => {
        for (let number = 0; number < lines; number += 1) {
          const reversed = await reader.readline();
          assert.ok(reversed.equals(Buffer.from(`\n${line(number)}`).reverse()), `line ${number}`);
        }
      };
      await Promise.all([send(), receive()]);
      writer.close();
      await writer.waitClosed();
    });

    it("go through our server and tls.connect()", async () => {
      let received: Promise<string> | undefined;
      const callback = exchanging((told) => {
        received = told;
      });
      await using ours = await listen(tcp, { ssl: { ...identity("server"), ...versions } }, callback);
      const client = tls.connect({ ...dial(ours.address), ...trust, servername: "localhost" } as tls.ConnectionOptions);
      const expected = await checksum(TOTAL);
      assert.deepEqual([await nodeExchange(client), await received], [expected, expected]);
      await until(() => client.closed);
      assert.deepEqual(ours.errors, []);
    });

    it("go through our client and tls.createServer()", async () => {
      let received: Promise<string> | undefined;
      const server = tls.createServer({ ...identity("server"), ...versions }, (socket) => {
        received = nodeExchange(socket);
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const streams = await connectTo(["127.0.0.1", (server.address() as { port: number }).port]);
      const expected = await checksum(TOTAL);
      assert.equal(await exchange(streams), expected);
      assert.equal(await received, expected);
      streams[1].close();
      await streams[1].waitClosed();
      await new Promise((resolve) => server.close(resolve));
    });
  });
}
