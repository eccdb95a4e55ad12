/**
 * A client of the Docker Engine API over its Unix socket, for `docker.ts`: containers, logs, and commands whose input and output share one
 * upgraded connection.
 *
 * Run it: node build/examples/docker.js, which imports it
 * You will see: the output of docker.ts. This file prints nothing.
 */
import { setTimeout as pause } from "node:timers/promises";
import { openUnixConnection, StreamReader, type StreamWriter } from "asyncio-streams";
import { frames, lengthPrefixed } from "asyncio-streams/framing";
import { type Head, readBody, readHead, writeMessage } from "./http-messages.js";

export type Container = { Id: string; Names: string[]; Image: string; State: string };
/** A piece of what a container has printed. With a terminal, all of it is `stdout`. */
export type Output = { source: "stdout" | "stderr"; data: Buffer };

/** The engine's answer to a request that it refuses. */
export class DockerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Output without a terminal: a byte for its source, three zero bytes, four for the length, then the data. */
const outputFrames = lengthPrefixed({ headerSize: 8, lengthOffset: 4 });

/** Splits output into its two sources. */
async function* outputOf(reader: StreamReader, hasTerminal: boolean): AsyncGenerator<Output> {
  if (hasTerminal) for await (const data of reader.chunks()) yield { source: "stdout", data };
  else
    for await (const frame of frames(reader, outputFrames)) yield { source: frame[0] === 2 ? "stderr" : "stdout", data: frame.subarray(8) };
}

/** A command that runs in a container: `stdin` takes its input, and `output` ends when it has closed its output. */
export class Session implements AsyncDisposable {
  /** Call `writeEof()` at the end of the input: the output goes on. */
  readonly stdin: StreamWriter;
  readonly output: AsyncGenerator<Output>;
  /** Waits for the end of the command; returns its exit status. */
  readonly wait: () => Promise<number>;

  constructor(reader: StreamReader, writer: StreamWriter, hasTerminal: boolean, wait: () => Promise<number>) {
    this.stdin = writer;
    this.output = outputOf(reader, hasTerminal);
    this.wait = wait;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stdin[Symbol.asyncDispose]();
  }
}

export class DockerEngine {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async containers(): Promise<Container[]> {
    return await this.#ask("GET", "/containers/json?all=true");
  }

  /** Yields what a container has printed, and with `follow` what it prints from now on. The engine sends no faster than the caller reads. */
  async *logs(id: string, { follow = false } = {}): AsyncGenerator<Output> {
    const hasTerminal = await this.#hasTerminal(id);
    const [reader, writer, head] = await this.#request("GET", `/containers/${id}/logs?stdout=true&stderr=true&follow=${follow}`);
    await using _ = writer;
    yield* outputOf(StreamReader.from(readBody(reader, head)), hasTerminal);
  }

  /** Runs another command in a container. */
  async exec(id: string, command: readonly string[], { terminal = false } = {}): Promise<Session> {
    const what = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: terminal, Cmd: command };
    const { Id } = await this.#ask<{ Id: string }>("POST", `/containers/${id}/exec`, what);
    const [reader, writer] = await this.#request("POST", `/exec/${Id}/start`, { Detach: false, Tty: terminal }, UPGRADE);
    return new Session(reader, writer, terminal, async () => {
      for (;;) {
        const { Running, ExitCode } = await this.#ask<{ Running: boolean; ExitCode: number | null }>("GET", `/exec/${Id}/json`);
        if (!Running) return ExitCode ?? 0;
        await pause(20); // the engine may need a moment after the end of the output
      }
    });
  }

  /** Attaches to the command that a container was started for. Its input must have been left open: `docker run -i`. */
  async attach(id: string): Promise<Session> {
    const hasTerminal = await this.#hasTerminal(id);
    const [reader, writer] = await this.#request("POST", `/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`, undefined, UPGRADE);
    return new Session(reader, writer, hasTerminal, async () => {
      return (await this.#ask<{ StatusCode: number }>("POST", `/containers/${id}/wait`)).StatusCode;
    });
  }

  async #hasTerminal(id: string): Promise<boolean> {
    return (await this.#ask<{ Config: { Tty: boolean } }>("GET", `/containers/${id}/json`)).Config.Tty;
  }

  async #ask<Answer>(method: string, target: string, body?: object): Promise<Answer> {
    const [reader, writer, head] = await this.#request(method, target, body);
    await using _ = writer;
    return JSON.parse(await textOf(reader, head)) as Answer;
  }

  /** Sends a request on a connection of its own; returns when the head of the answer has arrived. What follows is left in the reader. */
  async #request(method: string, target: string, body?: object, more: Headers = {}): Promise<[StreamReader, StreamWriter, Head]> {
    const [reader, writer] = await openUnixConnection(this.#path);
    try {
      const headers = { host: "docker", "content-type": "application/json", connection: "close", ...more };
      const start = `${method} ${target} HTTP/1.1`;
      await writeMessage(writer, { start, headers: new Map(Object.entries(headers)) }, body === undefined ? "" : JSON.stringify(body));
      const head = await readHead(reader);
      if (head === null) throw new Error("the engine has closed the connection");
      const status = Number(head.start.split(" ")[1]);
      if (status >= 400) throw new DockerError(status, messageOf(await textOf(reader, head)));
      return [reader, writer, head];
    } catch (error) {
      writer.close();
      throw error;
    }
  }
}

type Headers = Record<string, string>;
/** Asks the engine to use the connection for the command's input and output. It agrees with status 101, or 200 if it is old. */
const UPGRADE: Headers = { connection: "Upgrade", upgrade: "tcp" };

async function textOf(reader: StreamReader, head: Head): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of readBody(reader, head)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function messageOf(answer: string): string {
  try {
    return (JSON.parse(answer) as { message: string }).message;
  } catch {
    return answer;
  }
}
