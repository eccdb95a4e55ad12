/**
 * One curve, in a process of its own: what a byte costs as messages grow, read by one method from chunks of one size.
 *
 *   reader-curve.js readline|readuntil|readexactly|lines({ encoding })|readlines()|frames|Buffer.concat <chunk bytes>
 *
 * It prints a line of JSON: [{ messageBytes, nsPerByte }, ...]. No socket takes part: the chunks go to `feedData()`, each in a turn of its own.
 */
import { StreamReader } from "asyncio-streams";
import { frames, lengthPrefixed } from "asyncio-streams/framing";
import { median } from "../run/statistics.js";
import { BareConcat } from "./bare-concat.js";

const [, , method = "", chunkText] = process.argv;
const chunkBytes = Number(chunkText);

const MESSAGE_BYTES = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536].map((kib) => kib * 1024);
/** More chunks in a message than this would take minutes: with chunks of one byte, messages end at 1 MiB. */
const MAX_CHUNKS = 2 ** 20;
/** What each point is measured over, at the least, and how often. */
const POINT_CHUNKS = 2 ** 18;
const POINT_BYTES = 2 ** 27;
const REPEATS = 3;

const SEPARATORS = ["\r\n\r\n", "\n.\n", "--END--"];
/** Text as it is sent: lines that begin like a separator and are none. */
const TEXT_LINE = `${"a line of text, ".repeat(4).slice(2)}\r\n`;

interface Source {
  feedData(chunk: Buffer): void;
}

interface Method {
  /** Makes what chunks are fed to, and the function that reads the next message from it. */
  readonly open: (messageBytes: number) => readonly [Source, read: () => Promise<Message>];
  readonly filler: string;
  readonly ending: string;
  /** Bytes in front of a message: its length. Not part of what is read. */
  readonly headerBytes?: number;
}

/** A message as it is read: bytes, or text of ASCII. */
type Message = Buffer | string;

function ours(read: (reader: StreamReader, messageBytes: number) => Promise<Buffer>): Method["open"] {
  return (messageBytes) => {
    const reader = new StreamReader({ limit: messageBytes });
    return [reader, () => read(reader, messageBytes)];
  };
}

/** Iterates: a value for each message. */
function iterating(iterate: (reader: StreamReader, messageBytes: number) => AsyncIterable<Message>): Method["open"] {
  return (messageBytes) => {
    const reader = new StreamReader({ limit: messageBytes });
    const iterator = iterate(reader, messageBytes)[Symbol.asyncIterator]();
    return [reader, async () => (await iterator.next()).value as Message];
  };
}

/** Reads all lines at hand, and hands them out one by one. */
function openReadlines(messageBytes: number): readonly [Source, () => Promise<Message>] {
  const reader = new StreamReader({ limit: messageBytes });
  let lines: Buffer[] = [];
  let next = 0;
  const read = async (): Promise<Message> => {
    if (next === lines.length) {
      lines = await reader.readlines();
      next = 0;
    }
    next += 1;
    return lines[next - 1] as Buffer;
  };
  return [reader, read];
}

function openBareConcat(messageBytes: number): readonly [Source, () => Promise<Message>] {
  const source = new BareConcat();
  return [source, () => source.readexactly(messageBytes)];
}

const METHODS: Readonly<Record<string, Method>> = {
  readline: { open: ours((reader) => reader.readline()), filler: "x", ending: "\n" },
  readuntil: { open: ours((reader) => reader.readuntil(SEPARATORS)), filler: TEXT_LINE, ending: "--END--" },
  readexactly: { open: ours((reader, messageBytes) => reader.readexactly(messageBytes)), filler: "x", ending: "" },
  "lines({ encoding })": {
    open: iterating((reader) => reader.lines({ encoding: "utf8", keepSeparator: true })),
    filler: "x",
    ending: "\n",
  },
  "readlines()": { open: openReadlines, filler: "x", ending: "\n" },
  frames: {
    open: iterating((reader, messageBytes) => frames(reader, lengthPrefixed({ maxFrameSize: messageBytes }))),
    filler: "x",
    ending: "",
    headerBytes: 4,
  },
  "Buffer.concat": { open: openBareConcat, filler: "x", ending: "" },
};

function makeMessage({ filler, ending, headerBytes = 0 }: Method, bytes: number): Buffer {
  const message = Buffer.alloc(bytes, filler);
  if (headerBytes > 0) message.writeUInt32BE(bytes - headerBytes);
  message.write(ending, bytes - ending.length);
  return message;
}

/** Reads messages, one after the other, feeding chunks while one is incomplete; returns the CPU nanoseconds of a byte. */
async function measurePoint(chosen: Method, messageBytes: number, messages: number): Promise<number> {
  const message = makeMessage(chosen, messageBytes);
  // As many messages as a chunk needs: sizes are powers of two, so chunks and messages fit.
  const stream = Buffer.concat(Array.from({ length: Math.max(1, chunkBytes / messageBytes) }, () => message));
  const [source, read] = chosen.open(messageBytes);
  const before = process.cpuUsage();
  let fed = 0;
  for (let number = 1; number <= messages; number += 1) {
    const reading = read();
    while (fed < number * messageBytes) {
      const start = fed % stream.length;
      source.feedData(stream.subarray(start, start + chunkBytes));
      fed += chunkBytes;
      await Promise.resolve();
    }
    const { length } = await reading;
    if (length !== messageBytes - (chosen.headerBytes ?? 0)) throw new Error(`a message of ${messageBytes} bytes came as ${length}`);
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1e3) / (messages * messageBytes);
}

const chosen = METHODS[method];
if (chosen === undefined) throw new Error(`no method ${method}: there are ${Object.keys(METHODS).join(", ")}`);
const curve: { messageBytes: number; nsPerByte: number }[] = [];
await measurePoint(chosen, 16_384, Math.ceil((POINT_CHUNKS * Math.min(chunkBytes, 1024)) / 16_384)); // warm-up
for (const messageBytes of MESSAGE_BYTES.filter((bytes) => bytes / chunkBytes <= MAX_CHUNKS)) {
  const messages = Math.ceil(Math.min(POINT_BYTES, POINT_CHUNKS * chunkBytes) / messageBytes);
  const repeats: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) repeats.push(await measurePoint(chosen, messageBytes, messages));
  curve.push({ messageBytes, nsPerByte: median(repeats) });
}
console.log(JSON.stringify(curve));
