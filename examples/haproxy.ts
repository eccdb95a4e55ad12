/**
 * A client of HAProxy's stats socket. Each connection carries one command and one answer; EOF ends the answer.
 *
 * Run it: node build/examples/haproxy.js /run/haproxy/admin.sock ["show info" ...] (the path of `stats socket` in haproxy.cfg)
 * You will see: the version and the uptime, and the status, sessions and bytes of each server; or the answers to your commands.
 */
import { fileURLToPath } from "node:url";
import { openUnixConnection } from "asyncio-streams";

/** Sends a command and reads the answer up to EOF. */
export async function ask(path: string, command: string): Promise<string> {
  const [reader, writer] = await openUnixConnection(path);
  writer.write(`${command}\n`);
  const answer = await reader.read(-1, { signal: AbortSignal.timeout(10_000) });
  writer.close();
  await writer.waitClosed();
  return answer.toString().trimEnd();
}

/** Sends `show info`; returns the facts about the process by name. */
export async function showInfo(path: string): Promise<Map<string, string>> {
  const lines = (await ask(path, "show info")).split("\n");
  return new Map(lines.map((line) => line.split(": ", 2) as [string, string]));
}

/** Sends `show stat`; returns a row for each frontend, backend and server, with its columns by name. */
export async function showStat(path: string): Promise<Map<string, string>[]> {
  const [header = "", ...rows] = (await ask(path, "show stat")).split("\n");
  const names = header.replace("# ", "").split(",");
  return rows.map((row) => new Map(row.split(",").map((value, column) => [names[column] ?? "", value])));
}

/** Sends several commands on one connection: after `prompt`, HAProxy ends each answer with "\n> " and keeps the connection open. */
export async function* converse(path: string, commands: Iterable<string>): AsyncGenerator<string> {
  const [reader, writer] = await openUnixConnection(path);
  writer.write("prompt\n");
  await reader.readuntil("\n> ");
  for (const command of commands) {
    writer.write(`${command}\n`);
    yield String(await reader.readuntil("\n> ", { keepSeparator: false, limit: 1_048_576 })).trimEnd();
  }
  writer.close();
  await writer.waitClosed();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path = "/run/haproxy/admin.sock", ...commands] = process.argv.slice(2);
  if (commands.length > 0) {
    for await (const answer of converse(path, commands)) console.log(answer);
  } else {
    const info = await showInfo(path);
    console.log(`HAProxy ${info.get("Version")}, up ${info.get("Uptime")}`);
    for (const row of await showStat(path)) {
      console.log(
        `${row.get("pxname")}/${row.get("svname")}: ${row.get("status")}, ${row.get("stot")} sessions, ${row.get("bout")} bytes out`,
      );
    }
  }
}
