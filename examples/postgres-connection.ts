/**
 * The connection of `postgres.ts`: PostgreSQL's messages over a Unix socket, TCP or TLS, and password login (SCRAM-SHA-256).
 *
 * Run it: pg_virtualenv node build/examples/postgres.js, which imports it
 * You will see: the output of postgres.ts. This file prints nothing, but throws if the password is wrong.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { openConnection, openUnixConnection, type SSLClient, type StreamReader, type StreamWriter } from "asyncio-streams";
import { Framed, lengthPrefixed } from "asyncio-streams/framing";

/** `host` is a name, or the directory of a Unix socket. With `ssl`, the connection is upgraded to TLS. */
export type Address = { host: string; port: number; user: string; password: string; database: string; ssl?: SSLClient };
/** A message from the server: a letter for its type, four bytes for its length, and its contents. */
export type Message = Buffer;

/** The letters that the client looks for: a row, data of COPY, an error, the go-ahead for COPY, the key for cancelling, the end. */
export const TYPE = { row: 68, copyData: 100, error: 69, copyIn: 71, cancelKey: 75, ready: 90 } as const;
const HEADER_BYTES = 5;
/** The length counts its own four bytes. The server's largest value has 1 GiB. */
const codec = lengthPrefixed({ headerSize: HEADER_BYTES, lengthOffset: 1, lengthAdjustment: -4, maxFrameSize: 2 ** 30 });

/** An error from the server; `code` is its five-character SQLSTATE. */
export class PostgresError extends Error {
  readonly code: string;
  /** Whether it ends the connection. */
  readonly isFatal: boolean;

  constructor(message: Message) {
    const fields = message.toString("utf8", HEADER_BYTES).split("\0");
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
  readonly writer: StreamWriter;
  readonly #messages: Framed<Message, string | Buffer>;
  /** Whether the server waits for a query. */
  isReady = false;

  private constructor([reader, writer]: [StreamReader, StreamWriter]) {
    this.#messages = new Framed(reader, writer, codec);
    this.writer = writer;
  }

  /** Connects and logs in. */
  static async open(address: Address): Promise<PostgresConnection> {
    const connection = new PostgresConnection(await open(address));
    connection.send("", int32(196_608), `user\0${address.user}\0database\0${address.database}\0\0`); // 3.0
    const method = (await connection.#next()).readInt32BE(HEADER_BYTES);
    if (method === 10) await connection.#logIn(address.password);
    else if (method !== 0) giveUp(connection.writer, `authentication method ${method} is not supported`);
    return connection;
  }

  /** Logs in by SCRAM-SHA-256: each side proves that it knows the password, without sending it. */
  async #logIn(password: string): Promise<void> {
    const hello = `n=,r=${randomBytes(18).toString("base64")}`;
    this.send("p", "SCRAM-SHA-256\0", int32(hello.length + 3), `n,,${hello}`);
    const challenge = (await this.#next()).toString("latin1", HEADER_BYTES + 4);
    const [, nonce = "", salt = "", rounds] = /^(r=.*),s=(.*),i=(\d+)$/.exec(challenge) ?? [];
    if (!nonce.startsWith(hello.slice(3))) giveUp(this.writer, "the server's nonce does not begin with the client's nonce");

    const conversation = `${hello},${challenge},c=biws,${nonce}`;
    const key = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(rounds), 32, "sha256");
    const clientKey = hmac(key, "Client Key");
    const signature = hmac(createHash("sha256").update(clientKey).digest(), conversation);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number)));
    this.send("p", `c=biws,${nonce},p=${proof.toString("base64")}`);

    const verifier = (await this.#next()).toString("latin1", HEADER_BYTES + 4);
    const expected = hmac(hmac(key, "Server Key"), conversation).toString("base64");
    if (verifier !== `v=${expected}`) giveUp(this.writer, "the server does not know the password");
    await this.#next(); // welcome
  }

  /** Reads one message, and leaves the others that have arrived. */
  async #next(): Promise<Message> {
    const message = await this.#messages.readFrame();
    if (message === null) giveUp(this.writer, "the server has closed the connection");
    this.#note(message);
    return message;
  }

  /** Reads all messages that have arrived, at least one. Throws an error that ends the connection. */
  async read(): Promise<readonly Message[]> {
    const messages = await this.#messages.readFrames();
    if (messages.length === 0) giveUp(this.writer, "the server has closed the connection");
    for (const message of messages) this.#note(message);
    return messages;
  }

  #note(message: Message): void {
    if (message[0] === TYPE.ready) this.isReady = true;
    else if (message[0] === TYPE.error) {
      const error = new PostgresError(message);
      if (error.isFatal) giveUp(this.writer, error);
    }
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
