/**
 * Reads many rows from PostgreSQL, and pauses after each thousand, as a program does that writes them somewhere: `postgres-reader.js FORM
 * ROWS`, with PGHOST and so on.
 */
import { setImmediate } from "node:timers/promises";
import { Postgres } from "../../examples/postgres.js";
import { measureWork, packageOf } from "./child.js";

const [form = "", rowCount = "0"] = process.argv.slice(2);
const { PGHOST = "", PGPORT = "5432", PGUSER = "", PGPASSWORD = "", PGDATABASE = "postgres" } = process.env;
const SQL = `SELECT n::text, md5(n::text), repeat('x', 100) FROM generate_series(1, ${Number(rowCount)}) n`;
const BATCH = 1_000;

type Values = readonly (string | null)[];
type Rows = Iterable<Values> | AsyncIterable<Values>;

let [count, characters] = [0, 0];

/** Counts a row and its characters. Returns whether it is time for a pause. */
function take(row: Values): boolean {
  for (const value of row) characters += value?.length ?? 0;
  count += 1;
  return count % BATCH === 0;
}

async function consume(rows: Rows): Promise<string> {
  for await (const row of rows) if (take(row)) await setImmediate();
  return `${count} rows, ${characters} characters`;
}

async function consumeBatches(batches: AsyncIterable<Values[]>): Promise<string> {
  for await (const batch of batches) for (const row of batch) if (take(row)) await setImmediate();
  return `${count} rows, ${characters} characters`;
}

interface PgClient {
  connect(): Promise<unknown>;
  query(query: object): PromiseLike<{ rows: Values[] }> & AsyncIterable<Values>;
  end(): Promise<void>;
}

async function pgClient(): Promise<PgClient> {
  const { Client } = packageOf<{ Client: new () => PgClient }>("postgres", "pg");
  const client = new Client();
  await client.connect();
  return client;
}

async function pgAll(): Promise<string> {
  const client = await pgClient();
  const { rows } = await client.query({ text: SQL, rowMode: "array" });
  const result = await consume(rows);
  await client.end();
  return result;
}

async function pgStream(): Promise<string> {
  const QueryStream = packageOf<new (sql: string, values: [], options: object) => object>("postgres", "pg-query-stream");
  const client = await pgClient();
  const result = await consume(client.query(new QueryStream(SQL, [], { rowMode: "array", batchSize: BATCH, highWaterMark: BATCH })));
  await client.end();
  return result;
}

interface PostgresJsQuery extends PromiseLike<Values[]> {
  values(): PostgresJsQuery;
  cursor(rows: number): AsyncIterable<Values[]>;
}

type PostgresJs = (options: object) => { unsafe(sql: string): PostgresJsQuery; end(): Promise<void> };

async function withPostgresJs(read: (query: PostgresJsQuery) => Promise<string>): Promise<string> {
  const sql = packageOf<PostgresJs>(
    "postgres",
    "postgres",
  )({
    host: PGHOST,
    port: Number(PGPORT),
    user: PGUSER,
    password: PGPASSWORD,
    database: PGDATABASE,
    max: 1,
  });
  const result = await read(sql.unsafe(SQL).values());
  await sql.end();
  return result;
}

async function withOurs(read: (postgres: Postgres) => Promise<string>): Promise<string> {
  const address = { host: PGHOST, port: Number(PGPORT), user: PGUSER, password: PGPASSWORD, database: PGDATABASE };
  const postgres = await Postgres.connect(address);
  const result = await read(postgres);
  await postgres.close();
  return result;
}

const forms: Readonly<Record<string, () => Promise<string>>> = {
  ours: async () => await withOurs(async (postgres) => await consume(postgres.query(SQL))),
  oursBatches: async () => await withOurs(async (postgres) => await consumeBatches(postgres.queryBatches(SQL))),
  pgAll,
  pgStream,
  postgresAll: async () => await withPostgresJs(async (query) => await consume(await query)),
  postgresCursor: async () => await withPostgresJs(async (query) => await consumeBatches(query.cursor(BATCH))),
};
await measureWork(forms[form] as () => Promise<string>);
