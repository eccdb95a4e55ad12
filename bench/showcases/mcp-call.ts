/**
 * Starts an MCP server as a child process and calls a tool with a large result: `mcp-call.js sdk|ours BYTES`. With `serve` it is the SDK's
 * server.
 */
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { McpServer } from "@modelcontextprotocol/server";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { createSubprocessExec, PIPE } from "asyncio-streams/process";
import { z } from "zod";
import { StreamTransport } from "../../examples/mcp-transport.js";
import { measureWork } from "./child.js";

const [form = "", bytes = "0"] = process.argv.slice(2);
const itself = fileURLToPath(import.meta.url);
const ourServer = fileURLToPath(new URL("../../examples/mcp-server.js", import.meta.url));

async function callReport(client: Client): Promise<string> {
  const { content } = await client.callTool({ name: "report", arguments: { bytes: Number(bytes) } });
  return `${(content[0] as { text: string }).text.length}`;
}

/** The work without the start of the server. */
async function measureCall(client: Client): Promise<void> {
  await client.callTool({ name: "report", arguments: { bytes: 1 } });
  await measureWork(async () => {
    const text = await callReport(client);
    await client.close();
    return text;
  });
}

if (form === "serve") {
  const server = new McpServer({ name: "report", version: "1.0.0" });
  server.registerTool("report", { inputSchema: z.object({ bytes: z.int() }) }, ({ bytes }) => ({
    content: [{ type: "text", text: "x".repeat(bytes) }],
  }));
  await server.connect(new StdioServerTransport());
} else {
  const client = new Client({ name: "bench", version: "1.0.0" });
  if (form === "sdk") {
    const maxBufferSize = 100_000_000;
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [itself, "serve"], maxBufferSize }));
  } else {
    const child = await createSubprocessExec(process.execPath, [ourServer, "--stdio"], { stdin: PIPE, stdout: PIPE });
    await client.connect(new StreamTransport(child.stdout, child.stdin));
  }
  await measureCall(client);
}
