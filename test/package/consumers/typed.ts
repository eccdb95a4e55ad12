/** A program in TypeScript, with all entries, and with types where they could go wrong. */
import {
  type ClientConnectedCallback,
  IncompleteReadError,
  openUnixConnection,
  type Server,
  type StreamReader,
  type StreamWriter,
  startUnixServer,
} from "asyncio-streams";
import { type FrameCodec, Framed, ndjson } from "asyncio-streams/framing";
import { type MemoryEnd, memoryPair } from "asyncio-streams/testing";

interface Message {
  readonly answer: string;
}

const path: string | undefined = process.argv[2];
if (path === undefined) throw new Error("no path");

const shout: ClientConnectedCallback = async (reader, writer, { signal }) => {
  const aborted: boolean = signal.aborted;
  for await (const line of reader) writer.write(aborted ? "" : line.toString().toUpperCase());
};

const server: Server = await startUnixServer(shout, path, { mode: 0o600, onClientError: (error, _writer) => console.error(error) });
const [reader, writer]: [StreamReader, StreamWriter] = await openUnixConnection(path);
writer.write("hello\n");
const answer: Buffer = await reader.readline({ signal: AbortSignal.timeout(10_000) });
const protocol: string | null | undefined = writer.getExtraInfo("ssl_object")?.getProtocol();
writer.close();
await writer.waitClosed();
const { finished }: { finished: number } = await server.shutdown({ graceMs: 1_000 });

const codec: FrameCodec<Message> = ndjson<Message>();
const [near, far]: [MemoryEnd, MemoryEnd] = memoryPair();
new Framed(near.reader, near.writer, codec).writeFrame({ answer: answer.toString() });
const received: Message | null = await new Framed(far.reader, far.writer, codec).readFrame();
near.writer.close();

try {
  await far.reader.readexactly(4);
} catch (error) {
  if (!(error instanceof IncompleteReadError)) throw error;
  const expected: number | null = error.expected;
  if (expected !== 4 || error.code !== "ERR_INCOMPLETE_READ" || finished > 1 || protocol !== undefined) throw error;
  console.log(received?.answer.trimEnd());
}
