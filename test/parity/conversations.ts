/** Both sides of the conversations with `peer.py`, over our streams. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { IncompleteReadError, type StreamReader, type StreamWriter } from "asyncio-streams";

type Side = (reader: StreamReader, writer: StreamWriter) => Promise<void>;

const SIZE = 8 << 20;
const LINES = ["one\n", "\n", `three ${"3".repeat(5000)}\n`, "four\r\n", "no newline"];
const FRAMES = [0, 1, 255, 65_536, 100_000];

/** Random bytes and their checksum. */
async function send(writer: StreamWriter, size: number): Promise<void> {
  const data = randomBytes(size);
  for (let at = 0; at < size; at += 100_000) {
    writer.write(data.subarray(at, at + 100_000));
    await writer.drain();
  }
  writer.write(createHash("sha256").update(data).digest());
  await writer.drain();
}

async function receive(reader: StreamReader, size: number): Promise<void> {
  const data = await reader.readexactly(size);
  assert.deepEqual(await reader.readexactly(32), createHash("sha256").update(data).digest(), "the checksum is wrong");
}

function frame(body: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

function reversed(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.toReversed());
}

function answerToLine(line: string): string {
  return `${line.trimEnd().toUpperCase()}\n`;
}

/** The side that begins, after it has sent the name of the conversation. */
export const ask: Readonly<Record<"lines" | "frames" | "bulk", Side>> = {
  async lines(reader, writer) {
    writer.writelines(LINES);
    writer.writeEof();
    for (const line of LINES) assert.equal((await reader.readline()).toString(), answerToLine(line));
    assert.equal((await reader.readline()).toString(), `${LINES.length} lines\n`);
    assert.equal((await reader.read()).length, 0);
  },
  async frames(reader, writer) {
    for (const size of FRAMES) {
      const body = randomBytes(size);
      writer.write(frame(body));
      const length = (await reader.readexactly(4)).readUInt32BE();
      assert.deepEqual(await reader.readexactly(length), reversed(body));
    }
    writer.writeEof();
    assert.equal((await reader.read()).length, 0);
  },
  async bulk(reader, writer) {
    await Promise.all([send(writer, SIZE), receive(reader, SIZE)]);
    assert.equal((await reader.readline()).toString(), "done\n");
  },
};

const answers: Readonly<Record<string, Side>> = {
  async lines(reader, writer) {
    let count = 0;
    for await (const line of reader) {
      count += 1;
      writer.write(answerToLine(line.toString()));
      await writer.drain();
    }
    writer.write(`${count} lines\n`);
  },
  async frames(reader, writer) {
    for (;;) {
      let length: number;
      try {
        length = (await reader.readexactly(4)).readUInt32BE();
      } catch (error) {
        assert.ok(error instanceof IncompleteReadError && error.partial.length === 0, String(error));
        return;
      }
      writer.write(frame(reversed(await reader.readexactly(length))));
      await writer.drain();
    }
  },
  async bulk(reader, writer) {
    await Promise.all([send(writer, SIZE), receive(reader, SIZE)]);
    writer.write("done\n");
  },
};

/** The side that answers: a server's callback. */
export async function answer(reader: StreamReader, writer: StreamWriter): Promise<void> {
  await answerAny(reader, writer, () => {});
}

/** The side that answers, `onHang` being called when the peer has begun the message that it does not end. */
export async function answerAny(reader: StreamReader, writer: StreamWriter, onHang: () => void): Promise<void> {
  const name = (await reader.readline()).toString().trim();
  if (name === "hang") {
    assert.equal((await reader.readexactly(3)).toString(), "par");
    onHang();
    await reader.readexactly(10);
  }
  await (answers[name] as Side)(reader, writer);
  writer.close();
}
