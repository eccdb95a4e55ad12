/** The rows of the table of calls: what one message costs by each reading call, with the data at hand. */
import { StreamReader } from "asyncio-streams";
import { delimited, type FrameCodec, frameBatches, frames, lengthPrefixed, ndjson, netstring } from "asyncio-streams/framing";

/** The messages that are fed at once, as one chunk. */
const MESSAGES = 1024;
/** The chunks of a run. */
const CHUNKS = 24;
const MESSAGE_BYTES = 64;

/** The number of messages that one run of a row reads. */
export const RUN_MESSAGES: number = MESSAGES * CHUNKS;

export interface Row {
  readonly name: string;
  /** The row whose cost is 1: for a call, `readline()`; for an iteration, `for await`. */
  readonly reference: string;
  /** The goal, as a multiple of the reference. */
  readonly goal: number | null;
  /** Reads all messages once. */
  run(): Promise<void>;
}

const chunkOf = (message: Buffer): Buffer => Buffer.concat(Array.from({ length: MESSAGES }, () => message));
const text = (ending: string): Buffer => chunkOf(Buffer.from("x".repeat(MESSAGE_BYTES - ending.length) + ending));

const JSON_TEXT = JSON.stringify({ id: 123_456, name: "a name", ok: true, list: [1, 2, 3] });
const LF = text("\n");
const CRLF = text("\r\n");
const PREFIXED = chunkOf(Buffer.concat([Buffer.of(0, 0, 0, MESSAGE_BYTES - 4), Buffer.alloc(MESSAGE_BYTES - 4, "x")]));
const NETSTRINGS = chunkOf(Buffer.from(`60:${"x".repeat(60)},`));
const JSON_LINES = chunkOf(Buffer.from(`${JSON_TEXT.padEnd(MESSAGE_BYTES - 1)}\n`));

const LENGTH_PREFIXED = lengthPrefixed();
const NETSTRING = netstring();
const DELIMITED = delimited("\r\n");
const NDJSON = ndjson();

/** Feeds a chunk in memory of its own, as a connection does. */
function feed(reader: StreamReader, chunk: Buffer): void {
  const own = Buffer.allocUnsafeSlow(chunk.length);
  chunk.copy(own);
  reader.feedData(own);
}

function call(name: string, goal: number | null, chunk: Buffer, read: (reader: StreamReader) => Promise<unknown>): Row {
  const run = async (): Promise<void> => {
    const reader = new StreamReader();
    for (let chunks = 0; chunks < CHUNKS; chunks += 1) {
      feed(reader, chunk);
      for (let message = 0; message < MESSAGES; message += 1) await read(reader);
      if (reader.bufferedLength > 0) await reader.readexactly(reader.bufferedLength); // after peek()
    }
  };
  return { name, reference: "readline()", goal, run };
}

function iteration(name: string, goal: number | null, chunk: Buffer, iterate: (reader: StreamReader) => AsyncIterable<unknown>): Row {
  const run = async (): Promise<void> => {
    const reader = new StreamReader();
    let read = 0;
    feed(reader, chunk);
    for await (const _ of iterate(reader)) {
      read += 1;
      if (read === RUN_MESSAGES) break;
      if (read % MESSAGES === 0) feed(reader, chunk);
    }
  };
  return { name, reference: "for await", goal, run };
}

function batches(name: string, goal: number | null, chunk: Buffer, read: (reader: StreamReader) => Promise<readonly unknown[]>): Row {
  const run = async (): Promise<void> => {
    const reader = new StreamReader();
    for (let chunks = 0; chunks < CHUNKS; chunks += 1) {
      feed(reader, chunk);
      for (let messages = 0; messages < MESSAGES; ) messages += (await read(reader)).length;
    }
  };
  return { name, reference: "for await", goal, run };
}

/** Iterates over batches of frames. */
function frameBatchesOf<T>(name: string, goal: number, chunk: Buffer, codec: Pick<FrameCodec<T, never>, "readFrame">): Row {
  const run = async (): Promise<void> => {
    const reader = new StreamReader();
    let read = 0;
    feed(reader, chunk);
    for await (const batch of frameBatches(reader, codec)) {
      read += batch.length;
      if (read === RUN_MESSAGES) break;
      if (read % MESSAGES === 0) feed(reader, chunk);
    }
  };
  return { name, reference: "for await", goal, run };
}

async function parseByHand(): Promise<void> {
  for (let chunks = 0; chunks < CHUNKS; chunks += 1) {
    for (let at = 0; at < JSON_LINES.length; ) {
      const end = JSON_LINES.indexOf(0x0a, at);
      JSON.parse(JSON_LINES.toString("utf8", at, end));
      at = end + 1;
    }
    await Promise.resolve();
  }
}

const view = new Uint8Array(MESSAGE_BYTES);
const timed = { timeout: 10_000 };
const signalled = { signal: new AbortController().signal };

async function readTwice(reader: StreamReader): Promise<unknown> {
  await reader.readexactly(4);
  return await reader.readexactly(MESSAGE_BYTES - 4);
}

export const ROWS: readonly Row[] = [
  call("readline()", null, LF, (reader) => reader.readline()),
  call("readexactly(64)", 1.1, LF, (reader) => reader.readexactly(MESSAGE_BYTES)),
  call("read(64)", 1.1, LF, (reader) => reader.read(MESSAGE_BYTES)),
  call("readinto(64)", 1.1, LF, (reader) => reader.readinto(view)),
  call("peek(64)", 1.1, LF, (reader) => reader.peek(MESSAGE_BYTES)),
  call("readexactly(4) + readexactly(60)", 2.1, PREFIXED, readTwice),
  call('readuntil("\\r\\n")', 1.2, CRLF, (reader) => reader.readuntil("\r\n")),
  call('readuntil(["\\r\\n", "\\n"])', 1.7, CRLF, (reader) => reader.readuntil(["\r\n", "\n"])),
  call("readline({ timeout })", 1.2, LF, (reader) => reader.readline(timed)),
  call("readline({ signal })", 1.2, LF, (reader) => reader.readline(signalled)),
  call("readexactly(64, { timeout })", 1.2, LF, (reader) => reader.readexactly(MESSAGE_BYTES, timed)),
  call("read(64, { timeout })", 1.2, LF, (reader) => reader.read(MESSAGE_BYTES, timed)),
  call('readuntil("\\r\\n", { timeout })', 1.44, CRLF, (reader) => reader.readuntil("\r\n", timed)),
  iteration("for await", null, LF, (reader) => reader),
  iteration("lines()", null, LF, (reader) => reader.lines()),
  iteration('lines({ encoding: "utf8" })', 1.3, LF, (reader) => reader.lines({ encoding: "utf8" })),
  iteration("chunks(64)", null, LF, (reader) => reader.chunks(MESSAGE_BYTES)),
  iteration("frames: length-prefixed", 2, PREFIXED, (reader) => frames(reader, LENGTH_PREFIXED)),
  iteration("frames: netstring", 2, NETSTRINGS, (reader) => frames(reader, NETSTRING)),
  iteration("frames: delimited", 2, CRLF, (reader) => frames(reader, DELIMITED)),
  call("readFrame(): length-prefixed", null, PREFIXED, (reader) => LENGTH_PREFIXED.readFrame(reader)),
  call("readFrame(): netstring", null, NETSTRINGS, (reader) => NETSTRING.readFrame(reader)),
  call("readFrame(): delimited", null, CRLF, (reader) => DELIMITED.readFrame(reader)),
  frameBatchesOf("frameBatches(): length-prefixed", 0.5, PREFIXED, LENGTH_PREFIXED),
  frameBatchesOf("frameBatches(): netstring", 0.5, NETSTRINGS, NETSTRING),
  frameBatchesOf("frameBatches(): delimited", 0.5, CRLF, DELIMITED),
  batches("readlines()", 0.5, LF, (reader) => reader.readlines()),
  batches('readlines({ encoding: "utf8" })', 0.45, LF, (reader) => reader.readlines({ encoding: "utf8" })),
  { name: "decoding and JSON.parse() by hand", reference: "decoding and JSON.parse() by hand", goal: null, run: parseByHand },
  {
    ...iteration("frames: ndjson", 1.15, JSON_LINES, (reader) => frames(reader, NDJSON)),
    reference: "decoding and JSON.parse() by hand",
  },
  {
    ...call("readFrame(): ndjson", null, JSON_LINES, (reader) => NDJSON.readFrame(reader)),
    reference: "decoding and JSON.parse() by hand",
  },
  {
    ...frameBatchesOf("frameBatches(): ndjson", 1.15, JSON_LINES, NDJSON),
    reference: "decoding and JSON.parse() by hand",
  },
];
