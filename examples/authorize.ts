/**
 * A server that every user may connect to, and that decides by the kernel's record of the user who has: only root and its own user get in,
 * and only root may give orders. Needs Linux; on Node: npm install koffi.
 *
 * Run it: node build/examples/authorize.js (then try it as another user: setpriv --reuid 65534 --clear-groups nc -U PATH)
 *   To keep it running: node build/examples/authorize.js /tmp/authorize.sock
 * You will see: who has connected, and the answers. A client of another user is reported, and closed before anything is read from it.
 */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer, UnauthorizedError } from "asyncio-streams";
import { getPeerCredentials, loadUnix } from "asyncio-streams/unix";

await loadUnix();

async function serveClient(reader: StreamReader, writer: StreamWriter): Promise<void> {
  const { uid, pid } = getPeerCredentials(writer);
  console.log(`${pid === process.pid ? "this process" : `process ${pid}`} has connected as user ${uid}`);
  for await (const line of reader.lines({ encoding: "utf8" }))
    writer.write(line === "stop" && uid !== 0 ? "error: only root may do that\n" : `ok: ${line}\n`);
  writer.close();
}

const [given] = process.argv.slice(2);
const directory = given === undefined ? mkdtempSync(join(tmpdir(), "authorize-")) : null;
const path = given ?? join(directory as string, "authorize.sock");
const server = await startUnixServer(serveClient, path, {
  mode: 0o666, // everyone may connect: the user decides, not the file
  authorize: ({ uid }) => uid === 0 || uid === process.geteuid?.(),
  onClientError: (error) => {
    if (error instanceof UnauthorizedError) console.log(`refused user ${error.credentials?.uid}`);
    else console.log(`a client failed: ${String(error)}`);
  },
});
if (directory === null) {
  process.once("SIGTERM", () => void server.shutdown());
  console.log(`listens on ${path}`);
} else {
  const [reader, writer] = await openUnixConnection(path);
  console.log(`the server runs as user ${getPeerCredentials(writer).uid}`);
  writer.write("status\nstop\n");
  writer.writeEof();
  for await (const line of reader.lines({ encoding: "utf8" })) console.log(line);
  writer.close();
  await server.shutdown();
  rmdirSync(directory);
}
