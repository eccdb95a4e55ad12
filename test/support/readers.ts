/** Readers that are fed by hand, and what came of their calls. */
import { StreamReader, type StreamReaderOptions, StreamReaderProtocol, StreamWriter } from "asyncio-streams";
import { FakeTransport } from "./fake-transport.js";

/** A reader that has been fed these pieces. */
export function readerOf(pieces: readonly (string | Uint8Array)[], options?: StreamReaderOptions): StreamReader {
  const reader = new StreamReader(options);
  for (const piece of pieces) reader.feedData(piece);
  return reader;
}

/** The same, at its end. */
export function endedReaderOf(pieces: readonly (string | Uint8Array)[], options?: StreamReaderOptions): StreamReader {
  const reader = readerOf(pieces, options);
  reader.feedEof();
  return reader;
}

/** A reader and a writer behind their protocol, on a transport that notes what it is told. */
export function connectedStreams(options?: StreamReaderOptions): {
  reader: StreamReader;
  writer: StreamWriter;
  protocol: StreamReaderProtocol;
  transport: FakeTransport;
} {
  const reader = new StreamReader(options);
  const protocol = new StreamReaderProtocol(reader);
  const transport = new FakeTransport();
  transport.setProtocol(protocol);
  protocol.connectionMade(transport);
  return { reader, writer: new StreamWriter(transport, protocol, reader), protocol, transport };
}

/** What a call gave, as text. */
export async function text(result: Promise<Uint8Array>): Promise<string> {
  return Buffer.from(await result).toString("latin1");
}

/** Ends the stream and gives what was left in the reader. */
export async function rest(reader: StreamReader): Promise<string> {
  reader.feedEof();
  return text(reader.read());
}
