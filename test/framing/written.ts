/** A writer whose bytes can be looked at, and what came of a call. */
import { StreamReader, StreamReaderProtocol, StreamWriter, type WriteData } from "asyncio-streams";
import type { FrameCodec } from "asyncio-streams/framing";
import { FakeTransport } from "../support/fake-transport.js";

class CollectingTransport extends FakeTransport {
  readonly pieces: Uint8Array[] = [];

  override write(data: WriteData): void {
    this.pieces.push(Buffer.from(data as Uint8Array));
  }
}

/** A writer, and what has been written to it. */
export function collectingWriter(): { writer: StreamWriter; written: () => Buffer } {
  const transport = new CollectingTransport();
  const protocol = new StreamReaderProtocol(new StreamReader());
  return { writer: new StreamWriter(transport, protocol), written: () => Buffer.concat(transport.pieces) };
}

/** A frame as it is on the wire. */
export function encode<Write>(codec: FrameCodec<unknown, Write>, frame: Write): Buffer {
  const { writer, written } = collectingWriter();
  codec.writeFrame(writer, frame);
  return written();
}
