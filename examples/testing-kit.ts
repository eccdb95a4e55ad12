/**
 * Tests a server's callback without a socket: on a normal link, on links that fragment, reset and delay, and with a fake clock.
 *
 * Run it: node build/examples/testing-kit.js
 * You will see: the result of each test.
 */
import assert from "node:assert/strict";
import type { StreamReader, StreamWriter } from "asyncio-streams";
import { FakeClock, hostile, memoryPair } from "asyncio-streams/testing";

/** The callback under test: adds the numbers on each line. */
async function add(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader.lines({ encoding: "utf8" })) {
    writer.write(`${line.split(" ").reduce((sum, number) => sum + Number(number), 0)}\n`);
    await writer.drain();
  }
  writer.close();
}

// One line gets one answer.
const [client] = memoryPair({ clientConnectedCb: add });
client.writer.write("1 2 3\n");
assert.equal((await client.reader.readline()).toString(), "6\n");
console.log("adds: passed");

// A hundred links cut the bytes in different places. A failing seed can be repeated.
for (let seed = 1; seed <= 100; seed += 1) {
  const [one] = memoryPair({ clientConnectedCb: add, hostile: hostile.randomCuts(seed, 3) });
  one.writer.write("10 20\n1 1\n");
  one.writer.writeEof();
  assert.equal((await one.reader.read()).toString(), "30\n2\n", `seed ${seed}`);
}
console.log("stands cuts anywhere: passed");

// The connection is reset in the middle of the second request.
const errors: unknown[] = [];
const [cut] = memoryPair({
  clientConnectedCb: add,
  onClientError: (error) => errors.push((error as NodeJS.ErrnoException).code),
  hostile: [hostile.resetAfter(8), {}],
});
cut.writer.write("1 2 3\n4 5 6\n");
await cut.writer.waitClosed().catch((error: NodeJS.ErrnoException) => errors.push(error.code));
console.log(`is cut off: ${errors.join(", ")}`);

// The link delays each chunk by three seconds; the test takes no time.
const clock = new FakeClock();
const [slow] = memoryPair({ clientConnectedCb: add, hostile: hostile.delayed(clock, 3_000) });
slow.writer.write("40 2\n");
const answer = slow.reader.readline();
await clock.advance(6_000);
console.log(`answers after ${clock.now} ms: ${(await answer).toString().trimEnd()}`);
