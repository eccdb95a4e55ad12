/** asyncio-streams, with its public API and nothing else. */
import { IncompleteReadError, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import { BACKLOG, BLOCK_BYTES, chooseForm, path, sayReady, tls } from "./arguments.js";

async function iterate(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader) {
    writer.write(line);
    await writer.drain();
  }
  writer.close();
}

async function readline(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for (;;) {
    const line = await reader.readline();
    if (line.length === 0) break;
    writer.write(line);
    await writer.drain();
  }
  writer.close();
}

async function read(reader: StreamReader, writer: StreamWriter): Promise<void> {
  while ((await reader.read(65_536)).length > 0);
  writer.close();
}

async function readexactly(reader: StreamReader, writer: StreamWriter): Promise<void> {
  try {
    for (;;) await reader.readexactly(BLOCK_BYTES);
  } catch (error) {
    if (!(error instanceof IncompleteReadError)) throw error;
    writer.close();
  }
}

async function readinto(reader: StreamReader, writer: StreamWriter): Promise<void> {
  const memory = new Uint8Array(65_536);
  while ((await reader.readinto(memory)) > 0);
  writer.close();
}

/** A command in the clear, its answer, and then lines over TLS. */
async function startTls(reader: StreamReader, writer: StreamWriter): Promise<void> {
  await reader.readline();
  writer.write("go ahead\n");
  await writer.startTls(tls as object);
  return readline(reader, writer);
}

const callback = chooseForm({ iterate, readline, read, readexactly, readinto, startTls });
await startUnixServer(callback, path, { backlog: BACKLOG, ...(tls && callback !== startTls && { ssl: tls }) });
sayReady();
