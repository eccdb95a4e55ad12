/** CommonJS in TypeScript, with `import()`: for every version of TypeScript. */
import type { StreamReader } from "asyncio-streams" with { "resolution-mode": "import" };

async function main(path: string): Promise<void> {
  const { openUnixConnection, startUnixServer } = await import("asyncio-streams");
  const server = await startUnixServer(async (reader: StreamReader, writer) => {
    for await (const line of reader) writer.write(line.toString().toUpperCase());
  }, path);
  const [reader, writer] = await openUnixConnection(path);
  writer.write("hello\n");
  console.log((await reader.readline()).toString().trimEnd());
  writer.close();
  await server.shutdown();
}

void main(process.argv[2] ?? "");
