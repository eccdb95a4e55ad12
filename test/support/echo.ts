/** A server's callback that sends every line back. */
import type { StreamReader, StreamWriter } from "asyncio-streams";

export async function echo(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader) {
    writer.write(line);
    await writer.drain();
  }
  writer.close();
}
