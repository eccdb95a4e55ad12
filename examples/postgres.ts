/**
 * A PostgreSQL client: queries that stream their rows, COPY both ways, and cancelling. `postgres-connection.ts` handles the messages and
 * the login.
 *
 * Run it: pg_virtualenv node build/examples/postgres.js (which starts a server; or set PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE)
 * You will see: the server's version, the sum of 100,000 rows, rows that are copied in and out again, and a long query that is cancelled.
 */
import { fileURLToPath } from "node:url";
import { type Address, type Message, PostgresConnection, PostgresError, sendCancel, TYPE } from "./postgres-connection.js";

/** The columns of a row, as text. */
export type Row = (string | null)[];

/** A client that runs one query at a time. The next query drops the unread rest of an answer. */
export class Postgres {
  readonly #address: Address;
  readonly #connection: PostgresConnection;
  #cancelKey: Buffer = Buffer.alloc(0);

  private constructor(address: Address, connection: PostgresConnection) {
    this.#address = address;
    this.#connection = connection;
  }

  static async connect(address: Address): Promise<Postgres> {
    const postgres = new Postgres(address, await PostgresConnection.open(address));
    for await (const message of flat(postgres.#answers())) if (message[0] === TYPE.cancelKey) postgres.#cancelKey = message.subarray(5);
    return postgres;
  }

  /** Yields the rows of a query as they arrive. The server sends no faster than the caller reads. */
  async *query(sql: string): AsyncGenerator<Row> {
    yield* flat(this.queryBatches(sql));
  }

  /** Like `query()`, but yields arrays of the rows that have arrived: cheaper for many rows. */
  async *queryBatches(sql: string): AsyncGenerator<Row[]> {
    for await (const messages of await this.#ask(sql)) yield messages.filter((message) => message[0] === TYPE.row).map(columns);
  }

  /** Returns all rows of a query. */
  async execute(sql: string): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const batch of this.queryBatches(sql)) rows.push(...batch);
    return rows;
  }

  /** Runs COPY ... FROM STDIN. Reads from `chunks` no faster than the server accepts data. */
  async copyIn(sql: string, chunks: Iterable<string | Buffer> | AsyncIterable<string | Buffer>): Promise<void> {
    for await (const message of flat(await this.#ask(sql))) {
      if (message[0] !== TYPE.copyIn) continue;
      for await (const chunk of chunks) {
        this.#connection.send("d", chunk);
        await this.#connection.writer.drain();
      }
      this.#connection.send("c");
    }
  }

  /** Runs COPY ... TO STDOUT and yields its rows. */
  async *copyOut(sql: string): AsyncGenerator<Buffer> {
    for await (const message of flat(await this.#ask(sql))) if (message[0] === TYPE.copyData) yield message.subarray(5);
  }

  /** Cancels the running query, which then throws. */
  async cancel(): Promise<void> {
    await sendCancel(this.#address, this.#cancelKey);
  }

  async close(): Promise<void> {
    this.#connection.send("X");
    this.#connection.writer.close();
    await this.#connection.writer.waitClosed();
  }

  async #ask(sql: string): Promise<AsyncGenerator<readonly Message[]>> {
    while (!this.#connection.isReady) await this.#connection.read();
    this.#connection.send("Q", `${sql}\0`);
    return this.#answers();
  }

  /** Yields the messages as they arrive, until the server is ready for the next query, then throws the error of this query, if any. */
  async *#answers(): AsyncGenerator<readonly Message[]> {
    let error: PostgresError | undefined;
    while (!this.#connection.isReady) {
      const messages = await this.#connection.read();
      const failure = messages.find((message) => message[0] === TYPE.error);
      if (failure !== undefined) error = new PostgresError(failure);
      yield messages;
    }
    if (error !== undefined) throw error;
  }
}

async function* flat<Item>(batches: AsyncIterable<readonly Item[]>): AsyncGenerator<Item> {
  for await (const batch of batches) for (const item of batch) yield item;
}

/** Decodes a row: behind the header the number of columns, then each column with a length prefix, which is -1 for null. */
function columns(message: Message): Row {
  const row: Row = [];
  let at = 7;
  for (let left = message.readInt16BE(5); left > 0; left -= 1) {
    const size = message.readInt32BE(at);
    const start = at + 4;
    at = start + Math.max(0, size);
    row.push(size < 0 ? null : message.toString("utf8", start, at));
  }
  return row;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { PGHOST = "/var/run/postgresql", PGPORT = "5432", PGUSER = "postgres", PGPASSWORD = "", PGDATABASE = PGUSER } = process.env;
  const postgres = await Postgres.connect({ host: PGHOST, port: Number(PGPORT), user: PGUSER, password: PGPASSWORD, database: PGDATABASE });
  console.log("PostgreSQL", String(await postgres.execute("SHOW server_version")), "answers");

  let sum = 0;
  for await (const [number] of postgres.query("SELECT generate_series(1, 100000)")) sum += Number(number);
  console.log("the sum of 100,000 rows is", sum);

  await postgres.execute("CREATE TEMPORARY TABLE colours (name text, value text)");
  await postgres.copyIn("COPY colours FROM STDIN", ["blue\t#00f\n", "red\t#f00\n"]);
  for await (const line of postgres.copyOut("COPY colours TO STDOUT")) process.stdout.write(line);

  try {
    for await (const [number] of postgres.query("SELECT generate_series(1, 1000000000)")) if (number === "1000") await postgres.cancel();
  } catch (error) {
    console.log(String(error));
  }
  await postgres.close();
}
