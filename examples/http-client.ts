/**
 * An HTTP/1.1 client over a Unix socket. One connection serves many requests; bodies are read and sent piece by piece.
 *
 * Run it: node build/examples/http-client.js /tmp/backend.sock / (with http-backend.ts, nginx or Docker as the server)
 * You will see: the status, the headers, and the body as it arrives.
 */
import { fileURLToPath } from "node:url";
import { openUnixConnection, type StreamReader, type StreamWriter } from "asyncio-streams";
import { type Body, type Head, readBody, readHead, writeMessage } from "./http-messages.js";

export type Answer = { status: number; headers: Map<string, string>; body: AsyncGenerator<Buffer> };

/** A connection that sends one request after the other. */
export class HttpClient {
  readonly #reader: StreamReader;
  readonly #writer: StreamWriter;
  #body: AsyncGenerator<Buffer> | undefined;

  private constructor([reader, writer]: [StreamReader, StreamWriter]) {
    this.#reader = reader;
    this.#writer = writer;
  }

  static async connect(path: string): Promise<HttpClient> {
    return new HttpClient(await openUnixConnection(path));
  }

  /** Sends a request; resolves when the head of the response has arrived. First reads and drops the unread rest of the last response. */
  async request(method: string, target: string, headers: Record<string, string> = {}, body: Body = ""): Promise<Answer> {
    for await (const _ of this.#body ?? []) continue;
    const head: Head = { start: `${method} ${target} HTTP/1.1`, headers: new Map(Object.entries({ host: "localhost", ...headers })) };
    // The server may begin to respond before it has the whole body, and may need its response read before it accepts more.
    const sending = writeMessage(this.#writer, head, body);
    sending.catch(() => {}); // #readBody() throws the error at the end of the response
    return this.#readAnswer(method, sending);
  }

  async close(): Promise<void> {
    this.#writer.close();
    await this.#writer.waitClosed();
  }

  async #readAnswer(method: string, sending: Promise<void>): Promise<Answer> {
    const head = await readHead(this.#reader);
    if (head === null) throw new Error("the server has closed the connection");
    const status = Number(head.start.split(" ")[1]);
    if (status < 200) return this.#readAnswer(method, sending); // "100 Continue": the final response follows
    const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
    this.#body = this.#readBody(hasBody ? head : null, sending);
    return { status, headers: head.headers, body: this.#body };
  }

  async *#readBody(head: Head | null, sending: Promise<void>): AsyncGenerator<Buffer> {
    if (head !== null) yield* readBody(this.#reader, head);
    await sending;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path = "/tmp/backend.sock", target = "/"] = process.argv.slice(2);
  const client = await HttpClient.connect(path);
  const { status, headers, body } = await client.request("GET", target);
  console.log(status);
  for (const [name, value] of headers) console.log(`${name}: ${value}`);
  console.log();
  for await (const piece of body) process.stdout.write(piece);
  await client.close();
}
