/**
 * MCP clients: three at once on one Unix socket, and one that starts its server as a child process.
 *
 * Run it: node build/examples/mcp-client.js, or with the path of a server's socket
 * You will see: notes of three clients, a result of 9,000,000 bytes, 1,000 log messages, and the answer of the child process.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { openUnixConnection, type StreamReader, type StreamWriter } from "asyncio-streams";
import { createSubprocessExec, PIPE } from "asyncio-streams/process";
import { serveUnix } from "./mcp-server.js";
import { StreamTransport } from "./mcp-transport.js";

/** Connects a client to the server at the other end of the streams. */
async function connect(reader: StreamReader, writer: StreamWriter): Promise<Client> {
  const client = new Client({ name: "example", version: "1.0.0" });
  await client.connect(new StreamTransport(reader, writer));
  return client;
}

/** Calls a tool and returns the text of its result. */
async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const { content } = await client.callTool({ name, arguments: args });
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

async function useSocket(path: string): Promise<void> {
  const clients = await Promise.all(["Ada", "Bob", "Cyd"].map(async () => await connect(...(await openUnixConnection(path)))));
  const [ada, bob, cyd] = clients as [Client, Client, Client];
  for (const [index, client] of clients.entries()) await call(client, "add", { note: `note ${index + 1}` });
  console.log("Ada reads:", await call(ada, "list"));
  console.log("Bob gets:", (await call(bob, "report", { bytes: 9_000_000 })).length, "bytes");

  let messages = 0;
  cyd.setNotificationHandler("notifications/message", () => {
    messages += 1;
  });
  console.log("Cyd reads:", await call(cyd, "watch", { count: 1_000 }), "and received", messages);
  for (const client of clients) await client.close();
}

async function useChild(): Promise<void> {
  const program = fileURLToPath(new URL("mcp-server.js", import.meta.url));
  const run = "Deno" in globalThis ? ["run", "--allow-all", program] : [program];
  await using child = await createSubprocessExec(process.execPath, [...run, "--stdio"], { stdin: PIPE, stdout: PIPE });
  const client = await connect(child.stdout, child.stdin);
  console.log("the child has", (await client.listTools()).tools.length, "tools; its notes:", await call(client, "add", { note: "alone" }));
  await client.close(); // the child's standard input ends, and so does the child
  console.log("the child ended with", await child.wait({ timeout: 10_000 }));
}

const [path] = process.argv.slice(2);
if (path !== undefined) await useSocket(path);
else {
  const directory = await mkdtemp(join(tmpdir(), "mcp-"));
  await using _ = await serveUnix(join(directory, "mcp.sock"));
  await useSocket(join(directory, "mcp.sock"));
  await useChild();
  await rm(directory, { recursive: true });
}
