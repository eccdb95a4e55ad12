/**
 * Run by a test, since it does harm to the whole process: takes away the pool of short buffers from which the library's constants would come
 * if they lay there, and then receives PROXY headers of both versions. Ends with 0 if both are understood.
 */
const POOLED = Buffer.from("x"); // before the library is loaded
const { openConnection, startServer } = await import("asyncio-streams");
const { waysToGiveAway } = await import("../support/give-away.js");

await using server = await startServer(
  (_reader, writer) => {
    writer.write(String(writer.getExtraInfo("peername")?.[0]));
    writer.close();
  },
  "127.0.0.1",
  0,
  { proxyProtocol: true, onClientError: (error) => console.error(error) },
);
const [, port] = server.sockets[0]?.getsockname() as [string, number];

/** Sends a header from 192.0.2.1, and returns the client's address as the server has it. */
async function addressWith(version: 1 | 2): Promise<string> {
  const sendProxyHeader = { version, source: ["192.0.2.1", 1], destination: ["192.0.2.2", 2] } as const;
  const [reader, writer] = await openConnection("127.0.0.1", port, { sendProxyHeader });
  const address = String(await reader.read());
  writer.close();
  return address;
}

// Node itself needs a pool, so a new one is begun first.
for (let used = 0; used < 2 * Buffer.poolSize; used += 8) Buffer.from("12345678");
waysToGiveAway["enqueue()"]?.(POOLED);
if (POOLED.length > 0) process.exit(10);
for (const version of [1, 2] as const) if ((await addressWith(version)) !== "192.0.2.1") process.exit(version);
process.exit(0);
