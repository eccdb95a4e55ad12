/**
 * A server behind a balancer, in a process of its own. It listens on a Unix path, replacing the server there, and answers a line with its
 * process id and what it was told of the client. SIGTERM: it stops listening, serves whom it has, and ends.
 */
import { type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";

async function answer(reader: StreamReader, writer: StreamWriter): Promise<void> {
  const line = await reader.readline();
  if (line.length > 0) {
    const [peername, sockname, header] = (["peername", "sockname", "proxy_header"] as const).map((key) => writer.getExtraInfo(key));
    writer.write(`${JSON.stringify({ pid: process.pid, line: String(line), peername, sockname, header })}\n`);
  }
  writer.close();
}

const server = await startUnixServer(answer, process.argv[2], { proxyProtocol: true, takeover: true, backlog: 1_000 });
console.log("listening");
process.once("SIGTERM", () => {
  server.close();
  void server.waitClosed().then(() => process.exit(0));
});
