/**
 * An echo server over TLS, and a client that verifies its certificate. The same options work on a Unix socket.
 *
 * Run it: node scripts/make-certificates.mjs && node build/examples/echo-tls.js [certificate key authority]
 * You will see: the protocol and the name on the certificate, the three echoed lines, and the error of a client that expects another
 *   host.
 */
import { readFileSync } from "node:fs";
import { openConnection, type StreamReader, type StreamWriter, startServer } from "asyncio-streams";

const certificates = new URL("../certificates/", import.meta.url);
const [
  certificate = new URL("server.pem", certificates),
  key = new URL("server.key.pem", certificates),
  authority = new URL("ca.pem", certificates),
] = process.argv.slice(2);

async function echo(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader) {
    writer.write(line);
    await writer.drain();
  }
  writer.close();
}

const server = await startServer(echo, "127.0.0.1", 0, {
  ssl: { cert: readFileSync(certificate), key: readFileSync(key), minVersion: "TLSv1.2" },
  onClientError: () => {}, // for the last client, which aborts the handshake
});
const port = Number(server.sockets[0]?.getsockname()[1]);

const ssl = { ca: readFileSync(authority) };
const [reader, writer] = await openConnection("127.0.0.1", port, { ssl, serverHostname: "localhost" });
console.log(writer.getExtraInfo("ssl_object")?.getProtocol(), writer.getExtraInfo("peercert")?.subject.CN);
for (const line of ["one\n", "two\n", "three\n"]) {
  writer.write(line); // TLS has no half-close, so there is no writeEof(): the client closes when it has its answers
  console.log((await reader.readline()).toString().trimEnd());
}
writer.close();
await writer.waitClosed();

const refused = await openConnection("127.0.0.1", port, { ssl, serverHostname: "elsewhere.example" }).catch((error: unknown) => error);
if (refused instanceof Error && "code" in refused) console.log(refused.code);

await server.shutdown();
