/** Bytes that are no TLS, behind a handshake that was good: they end the connection with an error, and what was received before stays. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { identity } from "../support/certificates.js";
import { kinds } from "../support/pairs.js";
import { Relay } from "../support/relay.js";
import { checkEcho, connectTo, listen } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

const GARBAGE: readonly (readonly [what: string, bytes: Buffer])[] = [
  ["text", Buffer.from("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")],
  ["a record that nobody has sealed", Buffer.concat([Buffer.from([23, 3, 3, 0, 64]), Buffer.alloc(64, 7)])],
  ["a record of a type that does not exist", Buffer.concat([Buffer.from([99, 3, 3, 0, 64]), Buffer.alloc(64, 7)])],
  ["a record that is longer than any", Buffer.concat([Buffer.from([23, 3, 3, 255, 255]), Buffer.alloc(65_535, 7)])],
];

const isTlsError = (error: Error & { code?: string }): boolean => {
  assert.match(String(error.code), /^(ERR_SSL_|ERR_TLS_|ECONNRESET|EPROTO|InvalidData)/);
  return true;
};

for (const kind of kinds) {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    describe(`behind a handshake over ${kind.name}, ${version}`, () => {
      for (const [what, bytes] of GARBAGE) {
        it(`a client gets an error for ${what}`, async () => {
          await using ours = await listen(kind, { ssl: { ...identity("server"), maxVersion: version } });
          await using relay = await Relay.to(ours.address);
          const [reader, writer] = await connectTo(relay.address);
          writer.write("hello\n");
          assert.equal((await reader.readline()).toString(), "hello\n");
          relay.link.toClient.inject(bytes);
          await assert.rejects(reader.read(), isTlsError);
          await assert.rejects(writer.waitClosed(), isTlsError);
          await until(() => ours.served[0]?.writer.isClosing() === true);
        });

        it(`a server gets an error for ${what}, and serves the next client`, async () => {
          await using ours = await listen(kind, { ssl: { ...identity("server"), maxVersion: version } });
          await using relay = await Relay.to(ours.address);
          const [reader, writer] = await connectTo(relay.address);
          writer.write("hello\n");
          assert.equal((await reader.readline()).toString(), "hello\n");
          relay.link.toServer.inject(bytes);
          await assert.rejects(ours.served[0]!.writer.waitClosed(), isTlsError);
          // It hears of it by an alert, or by the end.
          await reader.read().catch(() => {});
          await until(() => ours.errors.length > 0);
          assert.deepEqual([ours.errors.length, ours.errors[0]?.writer], [1, ours.served[0]?.writer]);
          await checkEcho(await ours.connect());
        });
      }
    });
  }
}
