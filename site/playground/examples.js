/** The programs of the playground, in order. `watch` says what to look at. The site's test runs each one and expects `prints` in the log. */
export const examples = [
  {
    id: "echo",
    title: "Echo lines",
    watch: "The client writes one and a half lines, then the rest. The server reads whole lines all the same, and answers each one.",
    prints: ["HELLO", "WORLD", "the server has closed"],
    code: `import { memoryPair } from "asyncio-streams/testing";

// The same callback can serve a Unix socket:
// startUnixServer(shout, "/run/shout.sock")
async function shout(reader, writer) {
  for await (const line of reader) {
    writer.write(line.toString().toUpperCase());
    await writer.drain();
  }
  writer.close();
}

const [client] = memoryPair({ clientConnectedCb: shout });
const { reader, writer } = client;

writer.write("hello\\nwor");
console.log((await reader.readline()).toString().trim());
writer.write("ld\\n");
console.log((await reader.readline()).toString().trim());

writer.writeEof(); // half-close: the server's loop ends
const rest = await reader.read();
if (rest.length === 0) console.log("the server has closed");
writer.close();
await writer.waitClosed();
`,
  },
  {
    id: "backpressure",
    title: "Back-pressure",
    watch:
      "The server is slow. Its reader fills and pauses, then the line fills, then the client's write buffer passes the high-water mark: drain() waits until the mark below.",
    prints: ["drain() waited", "the server has read 40 records"],
    code: `import { memoryPair } from "asyncio-streams/testing";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function slowServer(reader, writer) {
  let records = 0;
  for (;;) {
    const record = await reader.readline();
    if (record.length === 0) break; // EOF
    records += 1;
    await sleep(15); // a slow disk, a busy database
  }
  writer.write(\`\${records}\\n\`);
  writer.close();
}

// Small buffers, so that they fill while you watch.
// The defaults are 64 KiB each.
const [client] = memoryPair({
  limit: 32,
  capacity: 48,
  clientConnectedCb: slowServer,
});
const { reader, writer } = client;
writer.transport.setWriteBufferLimits({ low: 16, high: 64 });

let waited = 0;
for (let index = 1; index <= 40; index += 1) {
  writer.write(\`record \${index}\\n\`);
  const before = performance.now();
  await writer.drain(); // try it without this line
  if (performance.now() - before > 5) waited += 1;
}
console.log(\`drain() waited \${waited} times\`);

writer.writeEof();
const answer = (await reader.readline()).toString().trim();
console.log(\`the server has read \${answer} records\`);
writer.close();
`,
  },
  {
    id: "limits",
    title: "A line that is too long",
    watch: "The peer sends lines of any length. A line above the limit is an error, not a growing buffer, and the next line is fine.",
    prints: ["ERR_LINE_TOO_LONG", "next: short", "ERR_LIMIT_OVERRUN", "another very long message"],
    code: `import { LimitOverrunError } from "asyncio-streams";
import { memoryPair } from "asyncio-streams/testing";

const [client, server] = memoryPair({ limit: 16 });

server.writer.write("a line that is much too long\\nshort\\n");

try {
  await client.reader.readline();
} catch (error) {
  console.log(error.code, "-", error.message); // the line was dropped
}
console.log("next:", (await client.reader.readline()).toString().trim());

// readuntil() keeps the data, so that the program can decide.
server.writer.write("another very long message;");
try {
  await client.reader.readuntil(";");
} catch (error) {
  if (!(error instanceof LimitOverrunError)) throw error;
  console.log(error.code, "-", error.consumed, "bytes are still there");
  console.log((await client.reader.readexactly(error.consumed)).toString());
}

server.writer.close();
client.writer.close();
`,
  },
  {
    id: "ndjson",
    title: "JSON lines",
    watch: "The line cuts the bytes into random pieces. A codec makes whole messages of them, and refuses one that is too large.",
    prints: ["{ id: 1, sum: 5 }", "{ id: 3, sum: 300 }", "too large"],
    code: `import { Framed, FrameTooLargeError, ndjson } from "asyncio-streams/framing";
import { hostile, memoryPair } from "asyncio-streams/testing";

const codec = ndjson({ maxFrameSize: 200 });

async function calculator(reader, writer) {
  const connection = new Framed(reader, writer, codec);
  for await (const { id, add } of connection) {
    const sum = add.reduce((left, right) => left + right);
    connection.writeFrame({ id, sum });
    await writer.drain();
  }
  writer.close();
}

const [client] = memoryPair({
  clientConnectedCb: calculator,
  hostile: hostile.randomCuts(7, 20), // pieces of 1 to 20 bytes
});
const connection = new Framed(client.reader, client.writer, codec);

// Three questions at once; the answers come in order.
connection.writeFrame({ id: 1, add: [2, 3] });
connection.writeFrame({ id: 2, add: [10, 20, 30] });
connection.writeFrame({ id: 3, add: [100, 200] });
for (let answer = 1; answer <= 3; answer += 1) {
  console.log(await connection.readFrame());
}

try {
  connection.writeFrame({ id: 4, add: new Array(100).fill(1) });
} catch (error) {
  if (error instanceof FrameTooLargeError) console.log("too large:", error.message);
}
client.writer.close();
`,
  },
  {
    id: "timeouts",
    title: "Time-outs and aborts",
    watch: "A read that times out or is aborted consumes nothing: half a message stays in the reader until the other half arrives.",
    prints: ["TimeoutError", "7 bytes wait in the reader", "AbortError", "whole message"],
    code: `import { memoryPair } from "asyncio-streams/testing";

const [client, server] = memoryPair();

server.writer.write("a whole"); // and no newline yet

try {
  await client.reader.readline({ timeout: 200 });
} catch (error) {
  console.log(error.name, "-", error.message);
  console.log(client.reader.bufferedLength, "bytes wait in the reader");
}

const controller = new AbortController();
setTimeout(() => controller.abort(), 100);
try {
  await client.reader.readline({ signal: controller.signal });
} catch (error) {
  console.log(error.name, "-", error.message);
}

server.writer.write(" message\\n");
console.log((await client.reader.readline({ timeout: 200 })).toString().trim());

client.writer.close();
await client.writer.waitClosed();
`,
  },
  {
    id: "reset",
    title: "A connection that breaks",
    watch: "The network fails in the middle of a message. What arrived before it can be read; then the reader throws.",
    prints: ["first", "ECONNRESET", "drain():"],
    code: `import { hostile, memoryPair } from "asyncio-streams/testing";

const [client, server] = memoryPair({
  // The server's data breaks off after 10 bytes.
  hostile: [{}, hostile.resetAfter(10)],
});

server.writer.write("first\\nsecond\\nthird\\n");

console.log((await client.reader.readline()).toString().trim()); // 6 bytes
try {
  await client.reader.readline(); // only "seco" has arrived
} catch (error) {
  console.log(error.code, "-", error.message);
}

// Writing to a lost connection fails, too: drain() says so.
client.writer.write("are you there?\\n");
try {
  await client.writer.drain();
} catch (error) {
  console.log("drain():", error.code);
}
`,
  },
];
