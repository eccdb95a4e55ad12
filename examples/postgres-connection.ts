/**
 * The connection of `postgres.ts`: PostgreSQL's messages over a Unix socket, TCP or TLS, and password login (SCRAM-SHA-256).
 *
 * Run it: pg_virtualenv node build/examples/postgres.js, which imports it
 * You will see: the output of postgres.ts. This file prints nothing, but throws if the password is wrong.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { openConnection, openUnixConnection, type SSLClient, type StreamReader, type StreamWriter } from "asyncio-streams";

/** `host` is a name, or the directory of a Unix socket. With `ssl`, the connection is upgraded to TLS. */
export type Address = { host: string; port: number; user: string; password: string; database: string; ssl?: SSLClient };
/** A message from the server: a letter for its type, and its contents. */
export type Message = { type: string; body: Buffer };

/** An error from the server; `code` is its five-character SQLSTATE. */
export class PostgresError extends Error {
  readonly code: string;
  /** Whether it ends the connection. */
  readonly isFatal: boolean;

  constructor(body: Buffer) {
    const fields = body.toString().split("\0");
    const field = (letter: string) => fields.find((field) => field.startsWith(letter))?.slice(1);
    super(field("M"));
    this.code = field("C") ?? "";
    this.isFatal = field("V") === "FATAL";
  }
}

/** Opens a connection. For TLS, the client sends a request, the server agrees with a single letter, and the handshake begins. */
async function open({ host, port, ssl }: Address): Promise<[StreamReader, StreamWriter]> {
  const path = `${host}/.s.PGSQL.${port}`;
  const [reader, writer] = await (host.startsWith("/") ? openUnixConnection(path) : openConnection(host, port));
  if (ssl === undefined) return [reader, writer];
  writer.writelines([int32(8), int32(80_877_103)]);
  if (String(await reader.readexactly(1)) !== "S") giveUp(writer, `the server at ${host}:${port} has no TLS`);
  await writer.startTls(ssl, { serverHostname: host });
  return [reader, writer];
}

/** Opens another connection and cancels the running query of the session that received this key at login. */
export async function sendCancel(address: Address, key: Buffer): Promise<void> {
  const [reader, writer] = await open(address);
  writer.writelines([int32(16), int32(80_877_102), key]);
  await reader.read(); // the server closes the connection when it has processed the request
  writer.close();
  await writer.waitClosed();
}

/** A logged-in connection that exchanges messages. */
export class PostgresConnection {
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
  /** Whether the server waits for a query. */
  isReady = false;

  private constructor([reader, writer]: [StreamReader, StreamWriter]) {
    this.reader = reader;
    this.writer = writer;
  }

  /** Connects and logs in. */
  static async open(address: Address): Promise<PostgresConnection> {
    const connection = new PostgresConnection(await open(address));
    connection.send("", int32(196_608), `user\0${address.user}\0database\0${address.database}\0\0`); // 3.0
    const method = (await connection.read()).body.readInt32BE();
    if (method === 10) await connection.#logIn(address.password);
    else if (method !== 0) giveUp(connection.writer, `authentication method ${method} is not supported`);
    return connection;
  }

  /** Logs in by SCRAM-SHA-256: each side proves that it knows the password, without sending it. */
  async #logIn(password: string): Promise<void> {
    const hello = `n=,r=${randomBytes(18).toString("base64")}`;
    this.send("p", "SCRAM-SHA-256\0", int32(hello.length + 3), `n,,${hello}`);
    const challenge = (await this.read()).body.toString("latin1", 4);
    const [, nonce = "", salt = "", rounds] = /^(r=.*),s=(.*),i=(\d+)$/.exec(challenge) ?? [];
    if (!nonce.startsWith(hello.slice(3))) giveUp(this.writer, "the server's nonce does not begin with the client's nonce");

    const conversation = `${hello},${challenge},c=biws,${nonce}`;
    const key = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(rounds), 32, "sha256");
    const clientKey = hmac(key, "Client Key");
    const signature = hmac(createHash("sha256").update(clientKey).digest(), conversation);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number)));
    this.send("p", `c=biws,${nonce},p=${proof.toString("base64")}`);

    const verifier = (await this.read()).body.toString("latin1", 4);
    const expected = hmac(hmac(key, "Server Key"), conversation).toString("base64");
    if (verifier !== `v=${expected}`) giveUp(this.writer, "the server does not know the password");
    await this.read(); // welcome
  }

  /** Reads the next message. Throws an error that ends the connection. */
  async read(): Promise<Message> {
    const head = await this.reader.readexactly(5);
    const body = await this.reader.readexactly(head.readInt32BE(1) - 4); // the length includes its own four bytes
    const type = head.toString("latin1", 0, 1);
    if (type === "E" && new PostgresError(body).isFatal) giveUp(this.writer, new PostgresError(body));
    this.isReady = type === "Z";
    return { type, body };
  }

  send(type: string, ...parts: (string | Buffer)[]): void {
    this.isReady = false;
    const size = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 4);
    this.writer.writelines([type, int32(size), ...parts]);
  }
}

function giveUp(writer: StreamWriter, why: string | PostgresError): never {
  writer.close();
  throw typeof why === "string" ? new Error(why) : why;
}

const int32 = (value: number): Buffer => Buffer.from(Int32Array.of(value).buffer).swap32();
const hmac = (key: Buffer, data: string): Buffer => createHmac("sha256", key).update(data).digest();
