/** Sessions that `openssl s_client` resumes, from one process to the next: with `ssl`, and with `startTls()` and one options object. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import tls from "node:tls";
import type { ClientConnectedCallback, SocketAddress, SSLServer } from "asyncio-streams";
import { certificateFile, identity, trust } from "../support/certificates.js";
import { type Kind, kinds } from "../support/pairs.js";
import { temporaryDirectory } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { OpenSsl, options, shown } from "./openssl.js";

const FLAGS = { "TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3" } as const;

/** What the server says over TLS, and `s_client` of no certificate. */
const GREETING = "hello over TLS\n";

const sayHi: ClientConnectedCallback = async (reader, writer) => {
  writer.write(GREETING);
  await reader.read();
  writer.close();
};

/** As a mail server does it. */
const sayHiAfterStartTls =
  (ssl: SSLServer): ClientConnectedCallback =>
  async (reader, writer, context) => {
    writer.write("220 mail.example\r\n");
    await reader.readline();
    writer.write("250-mail.example\r\n250 STARTTLS\r\n");
    await reader.readline();
    writer.write("220 go ahead\r\n");
    await writer.startTls(ssl);
    return sayHi(reader, writer, context);
  };

/** Connects with `s_client`, and returns whether the session was resumed. */
async function ask(address: SocketAddress, ...args: readonly string[]): Promise<boolean> {
  const where = typeof address === "string" ? ["-unix", address] : ["-connect", `127.0.0.1:${address[1]}`];
  await using client = new OpenSsl("s_client", ...where, "-CAfile", certificateFile("ca"), "-servername", "localhost", ...args);
  await until(() => client.output.includes(GREETING));
  client.endInput();
  await client.end();
  assert.match(client.output, /^(New|Reused), TLSv1\.[23]/m);
  return /^Reused, TLSv1\.[23]/m.test(client.output);
}

async function serve(kind: Kind, by: "ssl" | "startTls()", ssl: SSLServer): ReturnType<Kind["serve"]> {
  return by === "ssl" ? kind.serve(sayHi, { ssl }) : kind.serve(sayHiAfterStartTls(ssl));
}

for (const kind of kinds) {
  for (const by of ["ssl", "startTls()"] as const) {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const flags = [FLAGS[version], ...(by === "ssl" ? [] : ["-starttls", "smtp"])];

      describe(`a session over ${kind.name} by ${by}, ${version}`, options, () => {
        for (const [what, ssl, more] of [
          ["options", identity("server"), []],
          ["a SecureContext", tls.createSecureContext(identity("server")), []],
          ["a client's certificate", { ...identity("server"), ...trust, requestCert: true }, shown("client")],
          [
            "a client's certificate and a SecureContext",
            { secureContext: tls.createSecureContext({ ...identity("server"), ...trust }), requestCert: true },
            shown("client"),
          ],
        ] as const) {
          it(`is resumed with ${what}`, async () => {
            const { server } = await serve(kind, by, ssl);
            const address = server.sockets[0]!.getsockname();
            const file = join(temporaryDirectory(), "session.pem");
            assert.equal(await ask(address, ...flags, ...more, "-sess_out", file), false);
            assert.equal(await ask(address, ...flags, ...more, "-sess_in", file), true);
            server.close();
            await server.waitClosed();
          });
        }
      });
    }
  }
}
