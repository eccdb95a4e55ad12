/** Programs that write their last words and end: what was written is offered to the system, so it arrives. Node only. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Random } from "../test/support/random.js";
import { ENDS, type Words } from "./ends.js";
import type { Ledger } from "./ledger.js";
import { bytesOf, randomPlace } from "./stretches.js";

/** The system's buffers hold more, so that all of it is taken at once. */
const MOST_BYTES = 20_000;

/** A program that takes longer hangs. */
const STUCK_AFTER_MS = 60_000;

const PROGRAM = fileURLToPath(new URL("./last-words.js", import.meta.url));

/** Runs such a program, and compares what it leaves. */
export async function checkExit(random: Random, ledger: Ledger): Promise<void> {
  const isUnix = random.chance(0.5);
  const path = join(tmpdir(), `soak-exit-${process.pid}-${random.int(0, 2 ** 30)}`);
  const stretch = { at: randomPlace(random), length: random.size(MOST_BYTES) };
  const end = random.pick(ENDS);
  const via = random.pick(["open", "sock"] as const);
  const arrived: Buffer[] = [];
  const closed = new Set<Promise<unknown>>();
  const server = net.createServer((socket) => {
    closed.add(new Promise((resolve) => socket.once("close", resolve)));
    socket.on("error", () => {}).on("data", (data: Buffer) => arrived.push(data));
  });
  server.listen(isUnix ? { path } : { host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = isUnix ? path : (["127.0.0.1", (server.address() as net.AddressInfo).port] as const);
  const words: Words = { address, stretch, end, via };
  const { timedOut, complaints } = await run(words);
  await Promise.all(closed);
  await new Promise((resolve) => server.close(resolve));
  if (isUnix) rmSync(path, { force: true });

  const where = `${isUnix ? "Unix" : "TCP"} by ${via}`;
  const bytes = Buffer.concat(arrived);
  const expected = bytesOf(stretch);
  ledger.countCruelty(`last words: ${end}`, where);
  ledger.bytesChecked += bytes.length;
  if (timedOut) ledger.report(`last words (${end}, ${where}): the program does not end`);
  else if (!bytes.equals(expected))
    ledger.report(`last words (${end}, ${where}): ${bytes.length} of ${expected.length} bytes came ${complaints}`);
}

async function run(words: Words): Promise<{ readonly timedOut: boolean; readonly complaints: string }> {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(words)], { stdio: ["ignore", "ignore", "pipe"] });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints += text;
  });
  let timedOut = false;
  const watchdog = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, STUCK_AFTER_MS);
  await once(child, "close");
  clearTimeout(watchdog);
  return { timedOut, complaints };
}
