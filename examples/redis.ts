/**
 * A Redis client on a Unix socket for RESP3, the protocol of Redis 6 and later.
 *
 * Run it: redis-server --port 0 --unixsocket /tmp/redis.sock --save '' --daemonize yes && node build/examples/redis.js /tmp/redis.sock
 * You will see: the server's name and version, a value written and read, 10,000 keys set and read in two pipelines, and a message
 *   received by a second connection.
 */
import { fileURLToPath } from "node:url";
import { openUnixConnection, type StreamReader, type StreamWriter } from "asyncio-streams";

/** A reply from Redis. Inside a pipeline or an array, an error is returned as a value. */
export type Reply = string | number | bigint | boolean | null | Buffer | RedisError | Reply[] | Map<string, Reply>;
/** The words of a command. */
export type Command = readonly (string | number | Buffer)[];

export class RedisError extends Error {}

/** A connection. Send one command at a time: await it before you send the next, or pass several to `pipeline()`. */
export class Redis {
  readonly #reader: StreamReader;
  readonly #writer: StreamWriter;

  private constructor([reader, writer]: [StreamReader, StreamWriter]) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Connects, and switches to RESP3. */
  static async connect(path: string): Promise<Redis> {
    const redis = new Redis(await openUnixConnection(path));
    await redis.command("HELLO", 3);
    return redis;
  }

  /** Sends one command and reads its reply; `R` is the expected type of the reply. */
  async command<R extends Reply>(...command: Command): Promise<R> {
    const [reply] = await this.pipeline([command]);
    if (reply instanceof RedisError) throw reply;
    return reply as R;
  }

  /** Sends commands and reads their replies at the same time, so that full buffers on both sides cannot cause a deadlock. */
  async pipeline<R extends Reply>(commands: readonly Command[]): Promise<R[]> {
    const [replies] = await Promise.all([this.#readReplies(commands.length), this.#send(commands)]);
    return replies as R[];
  }

  /** Reads the next message on a connection that has sent SUBSCRIBE. */
  async message(): Promise<Buffer> {
    const [, , message] = (await this.#readReply()) as Buffer[];
    return message as Buffer;
  }

  async close(): Promise<void> {
    this.#writer.close();
    await this.#writer.waitClosed();
  }

  /** Sends commands. Each is an array of byte strings with a length prefix. */
  async #send(commands: readonly Command[]): Promise<void> {
    for (const words of commands) {
      this.#writer.write(`*${words.length}\r\n`);
      for (const word of words) {
        const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
        this.#writer.writelines([`$${bytes.length}\r\n`, bytes, "\r\n"]);
      }
      await this.#writer.drain();
    }
  }

  async #readReplies(count: number): Promise<Reply[]> {
    const replies: Reply[] = [];
    while (replies.length < count) replies.push(await this.#readReply());
    return replies;
  }

  /** Reads a reply: a line whose first byte is its type, and the data that follows the line. */
  async #readReply(): Promise<Reply> {
    const line = (await this.#reader.readuntil("\r\n", { keepSeparator: false })).toString();
    const rest = line.slice(1);
    const count = Number(rest);
    if (line[0] === "+") return rest;
    if (line[0] === "-") return new RedisError(rest);
    if (line[0] === ":" || line[0] === ",") return Number(rest.replace("inf", "Infinity"));
    if (line[0] === "(") return BigInt(rest);
    if (line[0] === "#") return rest === "t";
    if (line[0] === "_") return null;
    if (line[0] === "$" || line[0] === "=") return (await this.#reader.readexactly(count + 2)).subarray(0, -2);
    if (line[0] === "!") return new RedisError((await this.#reader.readexactly(count + 2)).toString().trimEnd());
    if (line[0] === "*" || line[0] === "~" || line[0] === ">") return this.#readReplies(count);
    if (line[0] !== "%") throw new Error(`this is not RESP3: ${line}`);
    const entries = await this.#readReplies(2 * count);
    return new Map(Array.from({ length: count }, (_, index) => [String(entries[2 * index] as Buffer), entries[2 * index + 1] as Reply]));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = process.argv[2] ?? "/tmp/redis.sock";
  const redis = await Redis.connect(path);
  const hello = await redis.command<Map<string, Buffer>>("HELLO", 3);
  console.log(`${hello.get("server")?.toString()} ${hello.get("version")?.toString()} answers`);

  console.log("SET colour:", await redis.command("SET", "colour", "deep blue"));
  console.log("GET colour:", String(await redis.command<Buffer>("GET", "colour")));

  const keys = Array.from({ length: 10_000 }, (_, index) => `key:${index}`);
  await redis.pipeline(keys.map((key) => ["SET", key, `value of ${key}`]));
  const values = await redis.pipeline<Buffer>(keys.map((key) => ["GET", key]));
  console.log(`${values.length} values are back; the last: ${String(values.at(-1))}`);

  const listener = await Redis.connect(path);
  await listener.command("SUBSCRIBE", "news");
  await redis.command("PUBLISH", "news", "it works");
  console.log("the second connection was told:", String(await listener.message()));
  await Promise.all([redis.close(), listener.close()]);
}
