/**
 * Races that take too long for `npm test`: `npm run test:races [-- starts]`. Needs Linux, root, a C compiler and `setpriv`.
 *
 * - A daemon of root's starts servers in a directory of another user, who exchanges the hidden directory of each start for links to root's
 *   files (`racer.c`), 2,000 times by default. No file of root's may change.
 *   The race can be won: with a `chmod()` of the path `.as-.../s` instead of one through the descriptor, it was, in the 26th start.
 * - A process that starts and ends servers is killed at a random moment, 100 times. The next start must find nothing that it cannot remove.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startUnixServer } from "../dist/index.js";
import { ownerTag } from "../dist/net/socket-file/owner-tag.js";

const STARTS = Number(process.argv[2] ?? 2_000);
const KILLS = 100;
const NOBODY = "65534";
const OTHER_USER = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
const file = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Starts a server that ends each connection at once, and closes it. Returns how that failed, if it did. */
async function startAndEnd(path, options) {
  try {
    const server = await startUnixServer((_reader, writer) => writer.close(), path, options);
    await server.shutdown({ graceMs: 0 });
    return "started";
  } catch (error) {
    return error.code ?? error.message;
  }
}

/** Everything of the files in a directory that must not change. */
function stateOf(directory) {
  const files = readdirSync(directory).map((name) => {
    const { ino, uid, gid, mode } = lstatSync(join(directory, name));
    return [name, ino, uid, gid, mode.toString(8), readFileSync(join(directory, name), "utf8")];
  });
  const { uid, mode } = lstatSync(directory);
  return JSON.stringify([uid, mode.toString(8), files]);
}

async function raceAgainstAttacker(root) {
  const racer = join(root, "racer");
  const compiled = spawnSync("cc", ["-O2", "-Wall", "-o", racer, file("racer.c")], { stdio: "inherit" });
  if (compiled.status !== 0) throw new Error("cannot compile racer.c");
  const [directory, vault] = [join(root, "run"), join(root, "vault")];
  mkdirSync(directory);
  chownSync(directory, Number(NOBODY), Number(NOBODY));
  mkdirSync(vault, { mode: 0o700 });
  for (const name of ["s", "stale", "app.sock"]) writeFileSync(join(vault, name), `root's ${name}`, { mode: 0o600 });
  const before = stateOf(vault);
  const lure = `.as-${(2 ** 30).toString(36)}-${ownerTag().split("-")[1].slice(0, 3)}000-0000`;
  const attacker = spawn("setpriv", [...OTHER_USER, racer, directory, vault, lure], { stdio: ["ignore", "pipe", "inherit"] });
  await once(attacker.stdout, "data");
  let exchanges = 0;
  attacker.stdout.setEncoding("utf8").on("data", (text) => (exchanges += text.split("\n").length - 1));
  const outcomes = {};
  try {
    for (let start = 1; start <= STARTS; start += 1) {
      const outcome = await startAndEnd(join(directory, "app.sock"), {
        mode: 0o666,
        owner: { uid: Number(NOBODY) },
        takeover: start % 2 === 0,
      });
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      const after = stateOf(vault);
      if (after !== before) throw new Error(`root's files changed in start ${start}:\n${before}\n${after}`);
      if (attacker.exitCode !== null) throw new Error(`the attacker ended with ${attacker.exitCode}`);
      await delay(2);
    }
  } finally {
    attacker.kill("SIGKILL");
  }
  console.log(`${STARTS} starts, ${exchanges} of them with an exchanged directory: no file of root's changed`, outcomes);
  if (exchanges < STARTS / 10) throw new Error("the attacker was hardly ever in time");
}

async function killStarters(root) {
  const directory = join(root, "killed");
  mkdirSync(directory);
  const path = join(directory, "test.sock");
  let leftovers = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const doomed = spawn(process.execPath, [file("../build/test/unix/killed-child.js"), path], { stdio: ["ignore", "pipe", "inherit"] });
    await once(doomed.stdout, "data");
    await delay(Math.random() * 20);
    doomed.kill("SIGKILL");
    await once(doomed, "exit");
    if (readdirSync(directory).some((name) => name.startsWith(".as-"))) leftovers += 1;
    const outcome = await startAndEnd(path);
    const left = readdirSync(directory);
    if (outcome !== "started" || left.length > 0) throw new Error(`after kill ${kill}: ${outcome}, and ${left} is left`);
  }
  console.log(`${KILLS} kills, ${leftovers} of them in the middle of a start: the next start removed everything`);
}

const root = mkdtempSync(join(tmpdir(), "as-races-"));
chmodSync(root, 0o711);
try {
  await raceAgainstAttacker(root);
  await killStarters(root);
} finally {
  rmSync(root, { recursive: true, force: true });
}
