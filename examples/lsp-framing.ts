/**
 * A custom codec for the framing of the Language Server Protocol: a header with `Content-Length`, then JSON.
 *
 * Run it: node build/examples/lsp-framing.js
 * You will see: the answer to a request, the error of a read that is aborted, and the answer to the next request.
 */
import { openConnection, type SignalOptions, type StreamReader, type StreamWriter, startServer } from "asyncio-streams";
import { type FrameCodec, Framed, FrameTooLargeError, InvalidFrameError } from "asyncio-streams/framing";

interface Message {
  readonly id: number;
  readonly method?: string;
  readonly result?: unknown;
}

const MAX_HEADER_BYTES = 4096;
const MAX_BODY_BYTES = 1_048_576;

const lsp: FrameCodec<Message> = {
  async readFrame(reader: StreamReader, options?: SignalOptions): Promise<Message | null> {
    if ((await reader.peek(1, options)).length === 0) return null; // EOF between two messages
    const header = await reader.readuntil("\r\n\r\n", { ...options, limit: MAX_HEADER_BYTES });
    reader.unread(header); // header and body are consumed together: an abort in between loses nothing
    const length = Number(/^Content-Length: *(\d+)\r$/im.exec(header.toString("latin1"))?.[1] ?? "NaN");
    if (Number.isNaN(length)) throw new InvalidFrameError("the header has no Content-Length", 0);
    if (length > MAX_BODY_BYTES) throw new FrameTooLargeError(`a message of ${length} bytes is announced`, length, MAX_BODY_BYTES);
    const frame = await reader.readexactly(header.length + length, options);
    return JSON.parse(frame.subarray(header.length).toString()) as Message;
  },

  writeFrame(writer: StreamWriter, message: Message): void {
    const body = Buffer.from(JSON.stringify(message));
    writer.writelines([`Content-Length: ${body.length}\r\n\r\n`, body]);
  },
};

const server = await startServer(
  async (reader, writer) => {
    const client = new Framed(reader, writer, lsp);
    for await (const { id, method } of client) client.writeFrame({ id, result: `${method} is done` });
    writer.close();
  },
  "127.0.0.1",
  0,
);

const [reader, writer] = await openConnection(...(server.sockets[0]?.getsockname() as [string, number]));
const editor = new Framed(reader, writer, lsp);
editor.writeFrame({ id: 1, method: "initialize" });
console.log(JSON.stringify(await editor.readFrame()));
const answer = editor.readFrame({ signal: AbortSignal.timeout(1) }); // no request was sent, so no answer arrives
console.log(await answer.catch((error: Error) => error.name));
editor.writeFrame({ id: 2, method: "shutdown" });
console.log(JSON.stringify(await editor.readFrame()));
writer.close();
await writer.waitClosed();
await server.shutdown();
