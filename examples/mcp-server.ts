/**
 * An MCP server for many clients on one Unix socket, which only its own user can open. With `--stdio` it serves one client on its
 * standard input and output, as a program that an MCP host starts.
 *
 * Run it: node build/examples/mcp-server.js /tmp/mcp.sock, or node build/examples/mcp-server.js --stdio
 * You will see: the path. Connect with `node build/examples/mcp-client.js /tmp/mcp.sock`. SIGINT and SIGTERM end the server.
 */
import { fileURLToPath } from "node:url";
import { McpServer } from "@modelcontextprotocol/server";
import { type Server, startUnixServer } from "asyncio-streams";
import { stdio } from "asyncio-streams/process";
import { z } from "zod";
import { StreamTransport } from "./mcp-transport.js";

/** The notes are shared by all clients. */
const notes: string[] = [];

/** The tools, for one client. The SDK wants a server object for each connection. */
function makeServer(): McpServer {
  const server = new McpServer({ name: "notes", version: "1.0.0" }, { capabilities: { logging: {} } });
  const text = (text: string) => ({ content: [{ type: "text" as const, text }] });

  server.registerTool("add", { description: "Adds a note", inputSchema: z.object({ note: z.string() }) }, ({ note }) =>
    text(`${notes.push(note)}`),
  );
  server.registerTool("list", { description: "Lists all notes" }, () => text(notes.join(", ")));
  server.registerTool(
    "report",
    { description: "Makes a text of this size", inputSchema: z.object({ bytes: z.int().min(0).max(50_000_000) }) },
    ({ bytes }) => text("x".repeat(bytes)),
  );
  server.registerTool(
    "watch",
    { description: "Sends log messages of 10,000 bytes", inputSchema: z.object({ count: z.int().min(0) }) },
    async ({ count }, context) => {
      // Each `await` waits for the client to take the messages: a slow client slows the tool down.
      for (let n = 1; n <= count; n += 1) {
        await context.mcpReq.notify({ method: "notifications/message", params: { level: "info", data: `${n} ${"x".repeat(10_000)}` } });
      }
      return text(`sent ${count}`);
    },
  );
  return server;
}

/** Serves clients on a Unix socket until the server is closed. */
export async function serveUnix(path: string): Promise<Server> {
  return await startUnixServer(
    async (reader, writer) => {
      const server = makeServer();
      const closed = new Promise<void>((resolve) => {
        server.server.onclose = resolve;
      });
      await server.connect(new StreamTransport(reader, writer));
      await closed;
    },
    path,
    { mode: 0o600 },
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path = "/tmp/mcp.sock"] = process.argv.slice(2);
  if (path === "--stdio") await makeServer().connect(new StreamTransport(...stdio()));
  else {
    const server = await serveUnix(path);
    console.log(`serves ${path}`);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void server.shutdown({ graceMs: 5_000 }));
  }
}
