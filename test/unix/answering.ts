/** Servers that tell who they are, and clients that ask. */
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import {
  type ClientConnectedCallback,
  openUnixConnection,
  type PathLike,
  type Server,
  type StartUnixServerOptions,
  type StreamReader,
  type StreamWriter,
  startUnixServer,
} from "asyncio-streams";

/** Answers each line with its name and the line. */
export function answerAs(name: string): ClientConnectedCallback {
  return async (reader, writer) => {
    for await (const line of reader) {
      writer.write(`${name} ${line.toString()}`);
      await writer.drain();
    }
    writer.close();
  };
}

/** Starts a server that answers each line with its name and the line. */
export function serve(name: string, path: PathLike | null, options?: StartUnixServerOptions): Promise<Server> {
  return startUnixServer(answerAs(name), path, options);
}

/** Connects, asks once, and leaves; returns the answer without its newline. */
export async function ask(path: PathLike, question?: string): Promise<string> {
  return askOver(await openUnixConnection(path), question);
}

/** The same over a connection that there is. */
export async function askOver([reader, writer]: readonly [StreamReader, StreamWriter], question: string = "who"): Promise<string> {
  writer.write(`${question}\n`);
  const answer = await reader.readline();
  writer.close();
  await writer.waitClosed();
  return answer.toString().trimEnd();
}

/** Closes a server and waits for its end. */
export async function end(server: Server): Promise<void> {
  server.close();
  await server.waitClosed();
}

/** The files beside a socket, with it. */
export function filesBeside(path: string): string[] {
  return readdirSync(dirname(path)).sort();
}
