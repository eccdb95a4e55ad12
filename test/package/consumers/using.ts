/** `await using`: the connection and the server end with their blocks. */
import { openUnixConnection, startUnixServer } from "asyncio-streams";

const path = process.argv[2] ?? "";

async function ask(question: string): Promise<string> {
  const [reader, connection] = await openUnixConnection(path);
  await using writer = connection;
  writer.write(question);
  return (await reader.readline()).toString();
}

async function main(): Promise<void> {
  await using _server = await startUnixServer(async (reader, writer) => {
    for await (const line of reader) writer.write(line.toString().toUpperCase());
  }, path);
  console.log((await ask("hello\n")).trimEnd());
}

await main();
