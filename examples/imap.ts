/**
 * An IMAP client: STARTTLS, LOGIN, and messages as literals, which have a size prefix.
 *
 * Run it: IMAP_USER=me IMAP_PASSWORD=secret node build/examples/imap.js mail.example 143
 *   You may pass the path of a Unix socket instead of host and port. IMAP_CA: a file with the trusted authority; IMAP_HOST: the
 *   expected name on the certificate.
 * You will see: the server's greeting, the TLS version, the number of messages in INBOX, and size and subject of each of the last five.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openConnection, openUnixConnection, type SSLClient, type StreamReader, type StreamWriter } from "asyncio-streams";

/** A response line of the server. Each literal is replaced by its size: `{35}`. */
export type Response = { readonly text: string; readonly literals: readonly Buffer[] };

/** Thrown when the server refuses a command. */
export class ImapError extends Error {}

/** A connection. Send one command at a time: await it, or read its responses to the end, before you send the next. */
export class Imap {
  readonly #reader: StreamReader;
  readonly #writer: StreamWriter;
  #commands = 0;
  /** The first line from the server. */
  greeting = "";

  private constructor(reader: StreamReader, writer: StreamWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Connects to a port of a host, or to a path, and reads the greeting. */
  static async connect(host: string, port?: number): Promise<Imap> {
    const [reader, writer] = await (port === undefined ? openUnixConnection(host) : openConnection(host, port));
    const imap = new Imap(reader, writer);
    imap.greeting = (await imap.#readResponse()).text;
    return imap;
  }

  /** Upgrades the connection to TLS; returns the TLS version. */
  async startTls(ssl: SSLClient, serverHostname?: string): Promise<string | null> {
    await this.command("STARTTLS");
    await this.#writer.startTls(ssl, serverHostname === undefined ? {} : { serverHostname });
    return this.#writer.getExtraInfo("ssl_object")?.getProtocol() ?? null;
  }

  async login(user: string, password: string): Promise<void> {
    await this.command(`LOGIN ${quoted(user)} ${quoted(password)}`);
  }

  /** Opens a mailbox; returns the number of its messages. */
  async select(mailbox: string): Promise<number> {
    const responses = await this.command(`SELECT ${quoted(mailbox)}`);
    return parseInt(responses.find(({ text }) => text.endsWith(" EXISTS"))?.text.slice(2) ?? "0", 10);
  }

  /** Appends a message to a mailbox. */
  async append(mailbox: string, message: Buffer): Promise<void> {
    await this.command(`APPEND ${quoted(mailbox)} {${message.length}}`, message);
  }

  /** Yields messages as they arrive. `what` selects their parts: for `BODY.PEEK[]`, the literal is the message. */
  fetch(messages: string, what: string): AsyncGenerator<Response, void> {
    return this.#run(`FETCH ${messages} (${what})`);
  }

  /** Sends a command; returns the server's responses to it. */
  async command(command: string, literal?: Buffer): Promise<Response[]> {
    const responses: Response[] = [];
    for await (const response of this.#run(command, literal)) responses.push(response);
    return responses;
  }

  async logout(): Promise<void> {
    await this.command("LOGOUT");
    this.#writer.close();
    await this.#writer.waitClosed().catch(() => {}); // the server has closed, perhaps without answering close_notify
  }

  /** Yields the responses before the line with the command's tag, which must say OK. The server requests a literal after its size. */
  async *#run(command: string, literal: Buffer = Buffer.alloc(0)): AsyncGenerator<Response, void> {
    const tag = `a${++this.#commands}`;
    this.#writer.write(`${tag} ${command}\r\n`);
    for (;;) {
      const response = await this.#readResponse();
      if (response.text.startsWith(`${tag} OK`)) return;
      if (response.text.startsWith(`${tag} `)) throw new ImapError(response.text.slice(tag.length + 1));
      if (response.text.startsWith("+")) this.#writer.writelines([literal, "\r\n"]);
      else yield response;
    }
  }

  /** Reads a response. A line that ends in `{n}` is followed by n arbitrary bytes, and continues after them. */
  async #readResponse(): Promise<Response> {
    const literals: Buffer[] = [];
    for (let text = ""; ; ) {
      text += (await this.#reader.readuntil("\r\n", { keepSeparator: false })).toString();
      const size = /\{(\d+)\}$/.exec(text)?.[1];
      if (size === undefined) return { text, literals };
      literals.push(await this.#reader.readexactly(Number(size)));
    }
  }
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [host = "localhost", port] = process.argv.slice(2);
  const { IMAP_USER: user = "me", IMAP_PASSWORD: password = "", IMAP_CA: ca, IMAP_HOST: name } = process.env;
  const imap = await Imap.connect(host, port === undefined ? undefined : Number(port));
  console.log(imap.greeting);
  console.log(`secured by ${await imap.startTls(ca === undefined ? true : { ca: readFileSync(ca) }, name)}`);
  await imap.login(user, password);
  const count = await imap.select("INBOX");
  console.log(`${count} messages are in INBOX`);
  for await (const { text, literals } of imap.fetch(`${Math.max(1, count - 4)}:*`, "RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)]")) {
    console.log(`${/RFC822.SIZE (\d+)/.exec(text)?.[1]} bytes, ${literals[0]?.toString().trim()}`);
  }
  await imap.logout();
}
