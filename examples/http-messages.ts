/**
 * Reads and writes HTTP/1.1 messages for `http-client.ts` and `http-backend.ts`: heads, and bodies with a length, in chunks, or up to EOF.
 *
 * Run it: node build/examples/http-backend.js, which imports it
 * You will see: the output of http-backend.ts.
 */
import { IncompleteReadError, type StreamReader, type StreamWriter } from "asyncio-streams";

/** The first line of a message, and its headers. Header names are in lower case. */
export type Head = { start: string; headers: Map<string, string> };
/** The types that may be sent as a body. */
export type Body = string | Buffer | AsyncIterable<string | Buffer>;

const MAX_HEAD_BYTES = 65_536;
const MAX_CHUNK_LINE_BYTES = 1_024;

/** Reads a head; returns `null` if the peer has ended the connection. */
export async function readHead(reader: StreamReader): Promise<Head | null> {
  if ((await reader.peek(1)).length === 0) return null;
  const text = await reader.readuntil("\r\n\r\n", { limit: MAX_HEAD_BYTES });
  const [start = "", ...lines] = text.toString("latin1").trimEnd().split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { start, headers: new Map(headers) };
}

/** Reads a body as it arrives. Without a length or chunks, the body of a response ends at EOF, and the body of a request is empty. */
export async function* readBody(reader: StreamReader, { start, headers }: Head): AsyncGenerator<Buffer> {
  const length = headers.get("content-length");
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") yield* readChunks(reader);
  else if (length !== undefined) yield* readExactly(reader, Number(length));
  else if (start.startsWith("HTTP/")) yield* reader.chunks();
}

async function* readChunks(reader: StreamReader): AsyncGenerator<Buffer> {
  const options = { limit: MAX_CHUNK_LINE_BYTES, keepSeparator: false };
  for (;;) {
    const size = Number.parseInt(String(await reader.readuntil("\r\n", options)), 16);
    if (Number.isNaN(size)) throw new Error("the chunk has no valid size");
    if (size === 0) break;
    yield* readExactly(reader, size);
    await reader.readexactly(2); // "\r\n"
  }
  while ((await reader.readuntil("\r\n", options)).length > 0); // skips trailers, up to an empty line
}

/** Yields `size` bytes in the pieces in which they arrive, because a body may be larger than memory. */
async function* readExactly(reader: StreamReader, size: number): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; ) {
    const piece = await reader.read(Math.min(left, 65_536));
    if (piece.length === 0) throw new IncompleteReadError(piece, left);
    left -= piece.length;
    yield piece;
  }
}

/** Writes a message. A body that is an iterable is sent in chunks, no faster than the peer reads them. */
export async function writeMessage(writer: StreamWriter, { start, headers }: Head, body: Body): Promise<void> {
  const isWhole = typeof body === "string" || Buffer.isBuffer(body);
  const framing = isWhole ? `content-length: ${Buffer.byteLength(body)}` : "transfer-encoding: chunked";
  const lines = Array.from(headers, ([name, value]) => `${name}: ${value}\r\n`);
  writer.write(`${start}\r\n${lines.join("")}${framing}\r\n\r\n`);
  if (isWhole) writer.write(body);
  else {
    for await (const piece of body) {
      const size = Buffer.byteLength(piece);
      if (size > 0) writer.writelines([`${size.toString(16)}\r\n`, piece, "\r\n"]); // an empty chunk would end the body
      await writer.drain();
    }
    writer.write("0\r\n\r\n");
  }
  await writer.drain();
}
