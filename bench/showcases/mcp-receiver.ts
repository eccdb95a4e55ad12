/** Receives one large message of JSON-RPC from a Unix socket: `mcp-receiver.js SOCKET FORM`. The other side sends it when it gets a byte. */
import { connect } from "node:net";
import { Readable } from "node:stream";
import { type AnyMessage, ndJsonStream } from "@agentclientprotocol/sdk";
import { isJSONRPCResultResponse, ReadBuffer } from "@modelcontextprotocol/client";
import { openUnixConnection } from "asyncio-streams";
import { ndjson } from "asyncio-streams/framing";
import { measureWork } from "./child.js";

const [path = "", form = ""] = process.argv.slice(2);
const MAX_BYTES = 100_000_000;

const sizeOf = (message: unknown): string => {
  if (!isJSONRPCResultResponse(message)) throw new Error("the message is not a response");
  return `${(message.result["content"] as { text: string }[])[0]?.text.length}`;
};

/** A socket of Node with the reading side of the MCP SDK, as its stdio transports have it. */
async function readBuffer(): Promise<string> {
  const socket = connect(path);
  const buffer = new ReadBuffer({ maxBufferSize: MAX_BYTES });
  return await new Promise((resolve, reject) => {
    socket.on("error", reject).on("data", (chunk: Buffer) => {
      buffer.append(chunk);
      const message = buffer.readMessage();
      if (message === null) return;
      socket.destroy();
      resolve(sizeOf(message));
    });
    socket.write("1");
  });
}

async function ourNdjson(): Promise<string> {
  const [reader, writer] = await openUnixConnection(path);
  writer.write("1");
  const message = await ndjson({ maxFrameSize: MAX_BYTES }).readFrame(reader);
  writer.close();
  return sizeOf(message);
}

async function fromStream(stream: ReadableStream<AnyMessage>): Promise<string> {
  const { value } = await stream.getReader().read();
  return sizeOf(value);
}

/** The ACP SDK's streams on a socket of Node, and on a reader of this library. */
async function acpOnNode(): Promise<string> {
  const socket = connect(path);
  socket.write("1");
  const input = Readable.toWeb(socket) as unknown as ReadableStream<Uint8Array>;
  const text = await fromStream(ndJsonStream(new WritableStream(), input, { maxMessageBytes: MAX_BYTES }).readable);
  socket.destroy();
  return text;
}

async function acpOnOurs(): Promise<string> {
  const [reader, writer] = await openUnixConnection(path);
  writer.write("1");
  const text = await fromStream(ndJsonStream(writer.toWeb(), reader.toWeb(), { maxMessageBytes: MAX_BYTES }).readable);
  writer.close();
  return text;
}

const forms: Readonly<Record<string, () => Promise<string>>> = { readBuffer, ourNdjson, acpOnNode, acpOnOurs };
await measureWork(forms[form] as () => Promise<string>);
