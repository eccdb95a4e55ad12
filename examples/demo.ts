/**
 * A demonstration: a line server on a Unix socket, and several clients that send it real text at the same time.
 *
 * Run it: npm run demo
 * You will see: where the server listens, the first lines of a conversation, what each client sent and received, how small
 * backpressure kept the buffers, and a shutdown that leaves no file behind. It exits with 1 if a checksum does not match.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";

const CLIENTS = 4;
/** Large enough for every client to outrun the server, so that backpressure is visible. */
const BYTES_PER_CLIENT = 1_000_000;
const LINES_SHOWN = 3;
/** The number of lines a client writes before it calls `drain()`. */
const LINES_AT_ONCE = 250;

// ---- the server: answers each line with its number and the line itself ---------------------------------------------------------------

async function serveClient(reader: StreamReader, writer: StreamWriter): Promise<void> {
  let number = 0;
  for await (const line of reader) {
    number += 1;
    writer.writelines([`${number}: `, line]);
    await writer.drain();
  }
  writer.close();
}

// ---- a client: sends all lines while it reads the answers ----------------------------------------------------------------------------

interface Report {
  linesOut: number;
  bytesOut: number;
  linesIn: number;
  bytesIn: number;
  /** How often `drain()` had to wait, and the maximum number of buffered bytes. */
  waits: number;
  mostBuffered: number;
  /** SHA-256 of the text, and of the answers without their numbers. */
  sumOut: string;
  sumIn: string;
  /** The first lines that are not blank, and their answers. */
  conversation: string[];
}

async function runClient(path: string, lines: readonly Buffer[]): Promise<Report> {
  const counts = { linesOut: 0, bytesOut: 0, linesIn: 0, bytesIn: 0, waits: 0, mostBuffered: 0 };
  const report: Report = { ...counts, sumOut: "", sumIn: "", conversation: [] };
  const [reader, writer] = await openUnixConnection(path);
  await Promise.all([sendLines(writer, lines, report), readAnswers(reader, lines, report)]);
  writer.close();
  await writer.waitClosed();
  return report;
}

async function sendLines(writer: StreamWriter, lines: readonly Buffer[], report: Report): Promise<void> {
  const hash = createHash("sha256");
  const [, highWaterMark] = writer.transport.getWriteBufferLimits();
  for (let at = 0; at < lines.length; at += LINES_AT_ONCE) {
    const some = lines.slice(at, at + LINES_AT_ONCE);
    writer.writelines(some);
    for (const line of some) hash.update(line);
    report.linesOut += some.length;
    report.bytesOut += some.reduce((sum, { length }) => sum + length, 0);
    const buffered = writer.transport.getWriteBufferSize();
    report.mostBuffered = Math.max(report.mostBuffered, buffered);
    if (buffered > highWaterMark) report.waits += 1;
    await writer.drain();
  }
  writer.writeEof(); // the server reads EOF, answers the remaining lines, and closes
  report.sumOut = hash.digest("hex");
}

async function readAnswers(reader: StreamReader, lines: readonly Buffer[], report: Report): Promise<void> {
  const hash = createHash("sha256");
  for await (const answer of reader) {
    const line = lines[report.linesIn]?.toString() ?? "";
    if (line.trim() !== "" && report.conversation.length < 2 * LINES_SHOWN) report.conversation.push(`> ${line}`, `< ${answer.toString()}`);
    report.linesIn += 1;
    report.bytesIn += answer.length;
    hash.update(answer.subarray(answer.indexOf(": ") + 2));
  }
  report.sumIn = hash.digest("hex");
}

// ---- the text, and readable numbers --------------------------------------------------------------------------------------------------

/** Returns the lines of this repository's README and licence, repeated. */
function readText(): Buffer[] {
  const text = ["../../README.md", "../../LICENSE"].map((name) => readFileSync(new URL(name, import.meta.url), "utf8")).join("");
  const lines = text.split(/(?<=\n)/).map((line) => Buffer.from(line));
  const size = lines.reduce((sum, line) => sum + line.length, 0);
  return Array.from({ length: Math.ceil(BYTES_PER_CLIENT / size) }, () => lines).flat();
}

const count = (value: number): string => value.toLocaleString("en-US");
const kib = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;
const row = (...cells: string[]): string => cells.map((cell, index) => (index === 0 ? cell.padEnd(8) : cell.padStart(11))).join(" ");

// ---- run all clients -----------------------------------------------------------------------------------------------------------------

const lines = readText();
const directory = mkdtempSync(join(tmpdir(), "asyncio-streams-"));
const path = join(directory, "lines.sock");

const server = await startUnixServer(serveClient, path, { mode: 0o600 });
console.log(`A line server listens on ${path} (mode ${(statSync(path).mode & 0o777).toString(8)}).`);
console.log(`${CLIENTS} clients send it README.md and LICENSE at the same time, again and again; it numbers the lines.\n`);

const reports = await Promise.all(Array.from({ length: CLIENTS }, () => runClient(path, lines)));

console.log("The conversation of client 1 begins with (> sent, < answered):");
for (const line of reports[0]?.conversation ?? []) console.log(`  ${line.trimEnd().slice(0, 110)}`);

console.log(`\n${row("client", "lines out", "bytes out", "lines in", "bytes in", "sha256")}`);
for (const [index, { linesOut, bytesOut, linesIn, bytesIn, sumOut, sumIn }] of reports.entries()) {
  const verdict = sumIn === sumOut ? "matches" : "DIFFERS";
  console.log(row(String(index + 1), count(linesOut), count(bytesOut), count(linesIn), count(bytesIn), sumIn.slice(0, 8), verdict));
}

const waits = reports.reduce((sum, report) => sum + report.waits, 0);
const mostBuffered = Math.max(...reports.map((report) => report.mostBuffered));
const sent = kib(reports[0]?.bytesOut ?? 0);
console.log(
  `\nBack-pressure: drain() made the clients wait ${waits} times. Of the ${sent} that each sent, at most ${kib(mostBuffered)} were buffered.`,
);

// This client has its answer and stays idle: the shutdown ends it, too.
const [idleReader, idleWriter] = await openUnixConnection(path);
idleWriter.write("hello\n");
await idleReader.readline();
const idleEnd = idleReader.readline();
const { finished, aborted } = await server.shutdown({ graceMs: 2_000 });
const told = (await idleEnd).length === 0 ? "was told the end" : "was not told the end";
idleWriter.close();
await idleWriter.waitClosed();
const file = existsSync(path) ? "is still there" : "is gone";
console.log(`Shutdown: a client that was idle ${told}; ${finished} finished, ${aborted} cut off; the socket file ${file}.`);
rmdirSync(directory);

if (reports.some(({ sumOut, sumIn }) => sumOut !== sumIn)) process.exitCode = 1;
