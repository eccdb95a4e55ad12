/** CommonJS in TypeScript: becomes `require()`, which TypeScript allows from 5.8 on. */
import { openUnixConnection, startUnixServer } from "asyncio-streams";
import { ndjson } from "asyncio-streams/framing";

async function main(path: string): Promise<void> {
  const server = await startUnixServer(async (reader, writer) => {
    for await (const line of reader) writer.write(line.toString().toUpperCase());
  }, path);
  const [reader, writer] = await openUnixConnection(path);
  ndjson<string>().writeFrame(writer, "hello");
  console.log(JSON.parse((await reader.readline()).toString()));
  writer.close();
  await server.shutdown();
}

void main(process.argv[2] ?? "");
