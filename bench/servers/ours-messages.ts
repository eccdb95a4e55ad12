/** asyncio-streams for frames, text, JSON and relays, with its public API and nothing else. */
import { openUnixConnection, relay as relayPairs, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import { Framed, lengthPrefixed, ndjson } from "asyncio-streams/framing";
import { BACKLOG, chooseForm, path, sayReady, upstream } from "./arguments.js";

const LENGTH_PREFIXED = lengthPrefixed();
const NDJSON = ndjson();

async function frames(reader: StreamReader, writer: StreamWriter): Promise<void> {
  const framed = new Framed(reader, writer, LENGTH_PREFIXED);
  for await (const frame of framed) {
    framed.writeFrame(frame);
    await framed.drain();
  }
  writer.close();
}

async function text(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader.lines({ encoding: "utf8" })) {
    writer.write(`${line}\r\n`);
    await writer.drain();
  }
  writer.close();
}

async function json(reader: StreamReader, writer: StreamWriter): Promise<void> {
  const framed = new Framed(reader, writer, NDJSON);
  for await (const value of framed) {
    framed.writeFrame(value);
    await framed.drain();
  }
  writer.close();
}

async function relay(reader: StreamReader, writer: StreamWriter): Promise<void> {
  await relayPairs([reader, writer], await openUnixConnection(upstream));
}

await startUnixServer(chooseForm({ frames, text, json, relay }), path, { backlog: BACKLOG });
sayReady();
