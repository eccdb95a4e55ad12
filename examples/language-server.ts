/**
 * A language server over standard input and output, and an editor that starts it as a child process. The messages are JSON behind a
 * `Content-Length` header. The server counts the words of a text.
 *
 * Run it: node build/examples/language-server.js
 * You will see: two answers, the error for an unknown method, and the exit status of the server, which has ended by itself.
 */
import { fileURLToPath } from "node:url";
import { contentLength, Framed } from "asyncio-streams/framing";
import { createSubprocessExec, PIPE, stdio } from "asyncio-streams/process";

/** A message of JSON-RPC. */
interface Message {
  readonly jsonrpc: "2.0";
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly text: string };
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

const codec = contentLength<Message>({ maxFrameSize: 1_048_576 });

/** Answers on standard output until the editor says "exit" or ends. */
async function serve(): Promise<void> {
  const [reader, writer] = stdio();
  const editor = new Framed(reader, writer, codec);
  for await (const { id, method, params } of editor) {
    if (method === "exit") break;
    if (id === undefined) continue; // a notification needs no answer
    const answer =
      method === "countWords" ? { result: params?.text.split(/\s+/).length } : { error: { code: -32_601, message: "unknown" } };
    editor.writeFrame({ jsonrpc: "2.0", id, ...answer });
    await editor.drain();
  }
  // Let go of both, so that the process ends, although the editor has not closed the pipes.
  await reader.cancel();
  writer.close();
}

async function edit(): Promise<void> {
  const options = { stdin: PIPE, stdout: PIPE } as const;
  await using child = await createSubprocessExec(process.execPath, [fileURLToPath(import.meta.url), "--stdio"], options);
  const server = new Framed(child.stdout, child.stdin, codec);
  let lastId = 0;
  const request = async (method: string, text: string): Promise<Message | null> => {
    server.writeFrame({ jsonrpc: "2.0", id: ++lastId, method, params: { text } });
    return await server.readFrame({ timeout: 10_000 });
  };
  console.log((await request("countWords", "three short words"))?.result);
  console.log((await request("countWords", "one"))?.result);
  console.log((await request("translate", "one"))?.error?.message);
  server.writeFrame({ jsonrpc: "2.0", method: "exit" });
  console.log(await child.wait({ timeout: 10_000 }));
}

await (process.argv.includes("--stdio") ? serve() : edit());
