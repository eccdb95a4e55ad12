/**
 * A memcached client for the text protocol on a Unix socket. Values may contain any bytes, also newlines, because a length precedes them.
 *
 * Run it: memcached -s /tmp/memcached.sock & node build/examples/memcached.js /tmp/memcached.sock
 * You will see: the server's version, a value of two lines, the results of two concurrent changes, and an error.
 */
import { fileURLToPath } from "node:url";
import { openUnixConnection, type StreamReader, type StreamWriter } from "asyncio-streams";

/** A value, the flags stored with it, and the version of both, which `cas()` compares. */
export type Item = { value: Buffer; flags: number; version: string };
export type StoreOptions = { flags?: number; expires?: number };

export class MemcachedError extends Error {}

/** A connection. Send one command at a time: await it before you send the next. */
export class Memcached {
  readonly #reader: StreamReader;
  readonly #writer: StreamWriter;

  private constructor([reader, writer]: [StreamReader, StreamWriter]) {
    this.#reader = reader;
    this.#writer = writer;
  }

  static async connect(path: string): Promise<Memcached> {
    return new Memcached(await openUnixConnection(path));
  }

  async set(key: string, value: string | Buffer, options?: StoreOptions): Promise<void> {
    await this.#store("set", key, value, options);
  }

  /** Stores a value unless the key exists; returns whether it did. */
  async add(key: string, value: string | Buffer, options?: StoreOptions): Promise<boolean> {
    return (await this.#store("add", key, value, options)) === "STORED";
  }

  /** Stores a value unless another client has changed it since it was read; returns whether it did. */
  async cas(key: string, value: string | Buffer, version: string, options?: StoreOptions): Promise<boolean> {
    return (await this.#store("cas", key, value, options, version)) === "STORED";
  }

  /** Reads items by their keys; missing keys are left out. */
  async gets(...keys: string[]): Promise<Map<string, Item>> {
    this.#writer.write(`gets ${keys.join(" ")}\r\n`);
    const items = new Map<string, Item>();
    for (let answer = await this.#answer(); answer !== "END"; answer = await this.#answer()) {
      const [, key = "", flags, size, version = ""] = answer.split(" ");
      const value = await this.#reader.readexactly(Number(size));
      await this.#reader.readexactly(2); // "\r\n"
      items.set(key, { value, flags: Number(flags), version });
    }
    return items;
  }

  async get(key: string): Promise<Buffer | undefined> {
    return (await this.gets(key)).get(key)?.value;
  }

  /** Sends any other command that is answered with one line. */
  async command(line: string): Promise<string> {
    this.#writer.write(`${line}\r\n`);
    return this.#answer();
  }

  async close(): Promise<void> {
    this.#writer.close();
    await this.#writer.waitClosed();
  }

  async #store(verb: string, key: string, value: string | Buffer, options: StoreOptions = {}, version = ""): Promise<string> {
    const { flags = 0, expires = 0 } = options;
    this.#writer.writelines([`${verb} ${key} ${flags} ${expires} ${Buffer.byteLength(value)} ${version}\r\n`, value, "\r\n"]);
    await this.#writer.drain();
    return this.#answer();
  }

  async #answer(): Promise<string> {
    const line = String(await this.#reader.readuntil("\r\n", { keepSeparator: false }));
    if (/^(ERROR|CLIENT_ERROR|SERVER_ERROR)\b/.test(line)) throw new MemcachedError(line);
    return line;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const memcached = await Memcached.connect(process.argv[2] ?? "/tmp/memcached.sock");
  console.log("memcached answers:", await memcached.command("version"));

  await memcached.set("poem", "Roses are red\r\nEND\r\n");
  console.log("the poem:", JSON.stringify(String(await memcached.get("poem"))));

  await memcached.set("seats", "3");
  const seats = (await memcached.gets("seats")).get("seats") as Item;
  console.log("the first to book a seat:", await memcached.cas("seats", "2", seats.version));
  console.log("the second, who read 3 as well:", await memcached.cas("seats", "2", seats.version));

  await memcached.command("incr poem 1").catch((error: unknown) => console.log(String(error)));
  await memcached.close();
}
