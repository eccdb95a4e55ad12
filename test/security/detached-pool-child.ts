/**
 * Run by a test, since it does harm to the whole process: takes Node's pool of short buffers away, again and again, by `enqueue(Buffer.from("x"))`, and reads from connections
 * meanwhile. Ends with 0 if every byte is right. Prints nothing, since that needs the pool.
 */
import { delimited, lengthPrefixed } from "asyncio-streams/framing";
import { waysToGiveAway } from "../support/give-away.js";
import { routes } from "../support/routes.js";
import { until } from "../support/turns.js";

/** Memory of its own, whatever happens to the pool. */
function own(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

const LINE = own("a line that is not all that long\n");
const HALF = own("half a line, ");
const DELIMITED = own("one|two|");
const FRAME = own("\0\0\0\u0005frame");

/** Node itself breaks while its pool is gone; a new one comes when the old one would have been full. */
function takePoolAway(): boolean {
  try {
    const pooled = Buffer.from("x");
    if (pooled.buffer.byteLength === 1) return false;
    waysToGiveAway["enqueue()"]?.(pooled);
    return pooled.length === 0;
  } catch {
    return false; // refused, or gone already
  }
}

let taken = 0;
process.exitCode = 1;
// All are opened first: Node's own code of connecting needs the pool.
const connections = await Promise.all(routes.map((route) => route.open()));
for (const ends of connections) {
  const { reader } = ends.client;
  const { writer } = ends.peer;
  for (let round = 0; round < 20; round += 1) {
    writer.write(LINE);
    writer.write(HALF);
    const line = await reader.readline();
    const codec = delimited(own("|"));
    await until(() => reader.bufferedLength === HALF.length);
    if (takePoolAway()) taken += 1;
    writer.write(LINE);
    if (!same(line, LINE)) process.exit(2);
    if (!same(await reader.readexactly(HALF.length), HALF)) process.exit(3);
    if (!same(await reader.readline(), LINE)) process.exit(4);
    writer.write(DELIMITED);
    const [first, second] = [await codec.readFrame(reader), await codec.readFrame(reader)];
    if (first === null || second === null || !same(first, own("one")) || !same(second, own("two"))) process.exit(6);
    writer.write(FRAME);
    const frame = await lengthPrefixed({ prefix: 4 }).readFrame(reader);
    if (frame === null || !same(frame, FRAME.subarray(4))) process.exit(5);
  }
}
process.exit(taken > 0 ? 0 : 10);
