/**
 * A small container engine: the part of the Docker Engine API that `examples/docker.ts` uses, as its documentation describes it. Its
 * containers are processes of this machine.
 *
 * It cuts what it sends wherever that can hurt: the first frame comes with the head that agrees to the upgrade, frames and chunks of HTTP are
 * cut in pieces of seven bytes.
 */
import { type Server, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import { createSubprocessExec, PIPE } from "asyncio-streams/process";
import { type Head, readBody, readHead, writeMessage } from "../../examples/http-messages.js";

export interface SmallContainer {
  readonly hasTerminal: boolean;
  /** What it has printed: source 1 or 2, and text. */
  readonly printed: readonly (readonly [source: 1 | 2, text: string])[];
  /** The command that `attach` talks to. */
  readonly command: readonly string[];
}

export interface SmallEngine {
  readonly server: Server;
  /** The heads of all requests, for tests to look at. */
  readonly requests: Head[];
  /** Bytes of output that are written to clients so far. */
  readonly sent: () => number;
}

const PIECE_BYTES = 7;

/** A frame of output, as the engine sends it. */
function frameOf(source: 1 | 2, data: Uint8Array): Buffer {
  const frame = Buffer.alloc(8 + data.length);
  frame.writeUInt8(source, 0);
  frame.writeUInt32BE(data.length, 4);
  frame.set(data, 8);
  return frame;
}

async function* inPieces(data: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += PIECE_BYTES) yield data.subarray(at, at + PIECE_BYTES);
}

/** A running or ended command of `exec`. */
interface Execution {
  readonly command: readonly string[];
  readonly hasTerminal: boolean;
  status: number | null;
}

/** Starts one on a Unix socket. */
export async function startSmallEngine(path: string, containers: Readonly<Record<string, SmallContainer>>): Promise<SmallEngine> {
  const requests: Head[] = [];
  const executions: Execution[] = [];
  const statuses = new Map<string, Promise<number>>();
  let sent = 0;

  /** Runs a command with the rest of the connection as its input and output. Returns its exit status. */
  async function runOn(reader: StreamReader, writer: StreamWriter, command: readonly string[], hasTerminal: boolean): Promise<number> {
    const [program = "", ...args] = command;
    await using child = await createSubprocessExec(program, args, { stdin: PIPE, stdout: PIPE, stderr: PIPE });
    const send = async (source: 1 | 2, output: StreamReader): Promise<void> => {
      for await (const data of output.chunks()) {
        writer.write(hasTerminal ? data : frameOf(source, data));
        sent += data.length;
        await writer.drain();
      }
    };
    const feed = async (): Promise<void> => {
      for await (const data of reader.chunks()) {
        child.stdin.write(data);
        await child.stdin.drain();
      }
      child.stdin.close();
    };
    const feeding = feed().catch(() => {}); // the command may end before its input does
    await Promise.all([send(1, child.stdout), send(2, child.stderr)]);
    const status = await child.wait();
    writer.close();
    await feeding;
    return status;
  }

  async function answer(writer: StreamWriter, status: string, body: unknown): Promise<void> {
    const headers = new Map([["content-type", "application/json"]]);
    await writeMessage(writer, { start: `HTTP/1.1 ${status}`, headers }, JSON.stringify(body));
  }

  /** Agrees to the upgrade if the client asked for it, as engines do. The first frame is in the same segment as the head. */
  function upgrade(writer: StreamWriter, { headers }: Head, hasTerminal: boolean): void {
    const isUpgraded = headers.get("connection") === "Upgrade" && headers.get("upgrade") === "tcp";
    const head = isUpgraded ? "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" : "HTTP/1.1 200 OK\r\n";
    const hello = Buffer.from("[ready]");
    writer.writelines([`${head}Content-Type: application/vnd.docker.raw-stream\r\n\r\n`, hasTerminal ? hello : frameOf(1, hello)]);
  }

  async function serve(reader: StreamReader, writer: StreamWriter): Promise<void> {
    const head = await readHead(reader);
    if (head === null) return;
    requests.push(head);
    const [method = "", target = ""] = head.start.split(" ");
    const { pathname, searchParams } = new URL(target, "http://engine");
    let body = "";
    for await (const piece of readBody(reader, head)) body += piece.toString();
    const [, collection = "", id = "", action = ""] = pathname.split("/");
    const container = containers[id];
    switch (`${method} ${collection} ${action}`) {
      case "GET containers ": {
        const list = Object.keys(containers).map((name) => ({
          Id: name.padEnd(64, "0"),
          Names: [`/${name}`],
          Image: "small",
          State: "running",
        }));
        await answer(writer, "200 OK", list);
        return;
      }
      case "GET exec json": {
        const { status } = executions[Number(id)] as Execution;
        await answer(writer, "200 OK", { Running: status === null, ExitCode: status });
        return;
      }
      case "POST exec start": {
        const execution = executions[Number(id)] as Execution;
        upgrade(writer, head, execution.hasTerminal);
        execution.status = await runOn(reader, writer, execution.command, execution.hasTerminal);
        return;
      }
    }
    if (container === undefined) {
      await answer(writer, "404 Not Found", { message: `No such container: ${id}` });
      return;
    }
    switch (`${method} ${action}`) {
      case "GET json":
        await answer(writer, "200 OK", { Config: { Tty: container.hasTerminal } });
        return;
      case "GET logs": {
        const all = container.printed.map(([source, text]) =>
          container.hasTerminal ? Buffer.from(text) : frameOf(source, Buffer.from(text)),
        );
        if (searchParams.get("stdout") !== "true") throw new Error(target);
        const headers = new Map([["content-type", "application/vnd.docker.raw-stream"]]);
        await writeMessage(writer, { start: "HTTP/1.1 200 OK", headers }, inPieces(Buffer.concat(all)));
        return;
      }
      case "POST exec": {
        const { Cmd, Tty } = JSON.parse(body) as { Cmd: string[]; Tty: boolean };
        await answer(writer, "201 Created", { Id: `${executions.push({ command: Cmd, hasTerminal: Tty, status: null }) - 1}` });
        return;
      }
      case "POST attach": {
        upgrade(writer, head, container.hasTerminal);
        const status = runOn(reader, writer, container.command, container.hasTerminal);
        statuses.set(id, status);
        await status;
        return;
      }
      case "POST wait":
        await answer(writer, "200 OK", { StatusCode: await statuses.get(id) });
        return;
      default:
        await answer(writer, "404 Not Found", { message: "page not found" });
    }
  }

  const server = await startUnixServer(
    async (reader, writer) => {
      try {
        await serve(reader, writer);
      } finally {
        writer.close();
      }
    },
    path,
    // A client that has left in the middle is none of the engine's errors.
    { onClientError: () => {} },
  );
  return { server, requests, sent: () => sent };
}
