/**
 * A calculator that exchanges frames over a Unix socket: JSON values with a length prefix.
 *
 * Run it: node build/examples/framing.js
 * You will see: each request and its answer, and how a frame over the maximum size is refused.
 */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openUnixConnection, startUnixServer } from "asyncio-streams";
import { type FrameCodec, Framed, FrameTooLargeError, lengthPrefixed } from "asyncio-streams/framing";

/** Makes a codec on top of another codec. */
function jsonFrames<T>(maxFrameSize: number): FrameCodec<T> {
  const inner = lengthPrefixed({ prefix: 4, maxFrameSize });
  return {
    readFrame: async (reader, options) => JSON.parse((await inner.readFrame(reader, options))?.toString() ?? "null") as T | null,
    writeFrame: (writer, value) => inner.writeFrame(writer, JSON.stringify(value)),
  };
}

const numbers = jsonFrames<number[]>(100);
const path = join(mkdtempSync(join(tmpdir(), "frames-")), "sum.sock");
const server = await startUnixServer(async (reader, writer) => {
  const client = new Framed(reader, writer, numbers);
  for await (const request of client) client.writeFrame([request.reduce((a, b) => a + b, 0)]);
  writer.close();
}, path);

const [reader, writer] = await openUnixConnection(path);
const connection = new Framed(reader, writer, numbers);
for (const request of [[1, 2, 3], [0.5, 0.25], Array.from({ length: 50 }, (_, index) => index)]) {
  try {
    connection.writeFrame(request);
    console.log(`the sum of ${request.join(", ")} is ${(await connection.readFrame())?.[0]}`);
  } catch (error) {
    if (!(error instanceof FrameTooLargeError)) throw error;
    console.log(`${request.length} numbers take ${error.size} bytes: the maximum is ${error.maximum}`);
  }
}
writer.close();
await writer.waitClosed();
await server.shutdown();
rmdirSync(join(path, ".."));
