// Measures examples/cluster.ts with 1, 2 and 4 processes: short connections over TCP (connect, one line, one answer, close), from two client processes.
// Run it: npm run build && node scripts/measure-cluster.mjs [cluster|handover|reuse-port] [seconds]
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openConnection } from "../dist/index.js";

const CLIENTS = 16;
const [how = "cluster", seconds = "5", role = "first", port = "0"] = process.argv.slice(2);

async function ask() {
  const [reader, writer] = await openConnection("127.0.0.1", Number(port));
  writer.write("hello\n");
  await reader.readline();
  writer.close();
  await writer.waitClosed().catch(() => {});
}

/** Connects again and again, and tells how many answers there were. */
async function load() {
  let answers = 0;
  const until = Date.now() + Number(seconds) * 1_000;
  const client = async () => {
    for (; Date.now() < until; answers += 1) await ask();
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  process.send(answers);
  process.disconnect();
}

/** CPU time of a process in milliseconds, user and system; Linux. */
function cpuMs(pid) {
  const [, , , , , , , , , , , user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(user) + Number(system)) * 10;
}

async function measure(workers) {
  const directory = mkdtempSync(join(tmpdir(), "as-"));
  const example = fileURLToPath(new URL("../build/examples/cluster.js", import.meta.url));
  const server = spawn(process.execPath, [example, "0", join(directory, "s"), String(workers), how], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(server.stdout.setEncoding("utf8"), "data");
  const found = /:(\d+) and/.exec(line)?.[1];
  const pids = [server.pid, ...readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8").trim().split(" ").map(Number)];
  const before = pids.map(cpuMs);
  const loads = [1, 2].map(() => fork(fileURLToPath(import.meta.url), [how, seconds, "load", found]));
  const counts = await Promise.all(loads.map(async (one) => (await once(one, "message"))[0]));
  const answers = counts[0] + counts[1];
  const cpu = pids.map((pid, index) => cpuMs(pid) - before[index]);
  server.kill("SIGTERM");
  await once(server, "close");
  rmSync(directory, { recursive: true, force: true });
  const sum = cpu.reduce((a, b) => a + b, 0);
  console.log(
    `${how}, ${workers} processes: ${Math.round(answers / Number(seconds))} answers/s; CPU ${((sum * 1_000) / answers).toFixed(0)} µs/answer, first process ${((cpu[0] * 1_000) / answers).toFixed(0)}`,
  );
}

if (role === "load") await load();
else for (const workers of [1, 2, 4]) await measure(workers);
