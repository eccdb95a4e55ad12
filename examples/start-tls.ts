/**
 * STARTTLS, as in mail servers: a connection begins in plaintext, and after the command STARTTLS the same reader and writer use TLS.
 *
 * Run it: node scripts/make-certificates.mjs && node build/examples/start-tls.js [certificate key authority]
 * You will see: each request ("> ...") and its answer ("< ..."). The login is refused before STARTTLS and accepted after it.
 */
import { readFileSync } from "node:fs";
import { openConnection, type StreamReader, type StreamWriter, startServer } from "asyncio-streams";

const certificates = new URL("../certificates/", import.meta.url);
const [
  certificate = new URL("server.pem", certificates),
  key = new URL("server.key.pem", certificates),
  authority = new URL("ca.pem", certificates),
] = process.argv.slice(2);
const identity = { cert: readFileSync(certificate), key: readFileSync(key) };

async function serveClient(reader: StreamReader, writer: StreamWriter): Promise<void> {
  writer.write("220 ready\r\n");
  for await (const line of reader) {
    const [command] = line.toString().trimEnd().split(" ");
    const secured = writer.getExtraInfo("cipher") !== null;
    if (command === "STARTTLS" && !secured) {
      writer.write("220 go ahead\r\n");
      // Data that the client sent right behind the command, and that was read ahead, becomes the beginning of its handshake.
      await writer.startTls(identity, { sslHandshakeTimeout: 10_000 });
    } else if (command === "LOGIN") writer.write(secured ? "235 welcome\r\n" : "538 not in the clear: STARTTLS first\r\n");
    else if (command === "QUIT") break;
    else writer.write("500 what?\r\n");
    await writer.drain();
  }
  writer.close();
}

const server = await startServer(serveClient, "127.0.0.1", 0);
const port = Number(server.sockets[0]?.getsockname()[1]);
const [reader, writer] = await openConnection("127.0.0.1", port);
const answer = async (): Promise<void> => console.log(`< ${(await reader.readline()).toString().trimEnd()}`);

await answer();
for (const request of ["LOGIN me secret", "STARTTLS", "LOGIN me secret"]) {
  console.log(`> ${request}`);
  writer.write(`${request}\r\n`);
  await answer();
  if (request === "STARTTLS") {
    await writer.startTls({ ca: readFileSync(authority) }, { serverHostname: "localhost" });
    console.log(`  (${writer.getExtraInfo("ssl_object")?.getProtocol()})`);
  }
}
writer.write("QUIT\r\n");
writer.close();
await writer.waitClosed();
await server.shutdown();
