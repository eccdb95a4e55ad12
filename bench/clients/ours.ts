/** The client for round trips, on asyncio-streams: `<socket path> iterate|readline <line bytes>`. */
import { openUnixConnection } from "asyncio-streams";
import { obeyRuns } from "../load/runs.js";

const [, , path = "", form, lineBytes] = process.argv;
const request = Buffer.from(`${"x".repeat(Number(lineBytes) - 1)}\n`);
const [reader, writer] = await openUnixConnection(path);

function checkAnswer(answer: Buffer): void {
  if (answer.length !== request.length) throw new Error(`an answer of ${answer.length} bytes`);
}

async function iterate(end: number, latencies: number[]): Promise<number> {
  let began = performance.now();
  writer.write(request);
  for await (const answer of reader) {
    checkAnswer(answer);
    const now = performance.now();
    latencies.push(now - began);
    if (now >= end) break;
    began = now;
    writer.write(request);
    await writer.drain();
  }
  return latencies.length;
}

async function readline(end: number, latencies: number[]): Promise<number> {
  for (let began = performance.now(); began < end; ) {
    writer.write(request);
    await writer.drain();
    checkAnswer(await reader.readline());
    const now = performance.now();
    latencies.push(now - began);
    began = now;
  }
  return latencies.length;
}

await obeyRuns(form === "iterate" ? iterate : readline);
