/**
 * An IMAP client: STARTTLS, LOGIN, and messages as literals, whose size stands in front of them.
 *
 * Run it: IMAP_USER=me IMAP_PASSWORD=secret node build/examples/imap.js mail.example 143
 *   The path of a Unix socket will do instead of host and port. IMAP_CA: a file with the authority to trust; IMAP_HOST: whose certificate to expect.
 * You will see: the server's greeting, how the connection is secured, how many messages are in INBOX, and of each of the last five its size and subject.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openConnection, openUnixConnection, type SSLClient, type StreamReader, type StreamWriter } from "asyncio-streams";

/** A line of the server's; in place of each literal, its size: `{35}`. */
export type Response = { readonly text: string; readonly literals: readonly Buffer[] };

/** The server has refused a command. */
export class ImapError extends Error {}

/** A connection. Commands take turns: await one, or read it to its end, before you give the next. */
export class Imap {
  readonly #reader: StreamReader;
  readonly #writer: StreamWriter;
  #commands = 0;
  /** What the server has said first. */
  greeting = "";

  private constructor(reader: StreamReader, writer: StreamWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Connects to a host's port, or to a path, and hears the greeting. */
  static async connect(host: string, port?: number): Promise<Imap> {
    const imap = new Imap(...(await (port === undefined ? openUnixConnection(host) : openConnection(host, port))));
    imap.greeting = (await imap.#readResponse()).text;
    return imap;
  }

  /** Changes over to TLS; returns its version. */
  async startTls(ssl: SSLClient, serverHostname?: string): Promise<string | null> {
    await this.command("STARTTLS");
    await this.#writer.startTls(ssl, serverHostname === undefined ? {} : { serverHostname });
    return this.#writer.getExtraInfo("ssl_object")?.getProtocol() ?? null;
  }

  async login(user: string, password: string): Promise<void> {
    await this.command(`LOGIN ${quoted(user)} ${quoted(password)}`);
  }

  /** Opens a mailbox; returns how many messages are in it. */
  async select(mailbox: string): Promise<number> {
    const responses = await this.command(`SELECT ${quoted(mailbox)}`);
    return parseInt(responses.find(({ text }) => text.endsWith(" EXISTS"))?.text.slice(2) ?? "0", 10);
  }

  /** Puts a message into a mailbox. */
  async append(mailbox: string, message: Buffer): Promise<void> {
    await this.command(`APPEND ${quoted(mailbox)} {${message.length}}`, message);
  }

  /** Messages one after the other, as they come; of `what`, such as `BODY.PEEK[]`, the literal is the message. */
  fetch(messages: string, what: string): AsyncGenerator<Response, void> {
    return this.#run(`FETCH ${messages} (${what})`);
  }

  /** Gives a command; returns what the server has to say to it. */
  async command(command: string, literal?: Buffer): Promise<Response[]> {
    const responses: Response[] = [];
    for await (const response of this.#run(command, literal)) responses.push(response);
    return responses;
  }

  async logout(): Promise<void> {
    await this.command("LOGOUT");
    this.#writer.close();
    await this.#writer.waitClosed().catch(() => {}); // the server has hung up, perhaps with no ear for our end of TLS
  }

  /** What the server answers before the line with the command's tag, which must say OK. It asks for a literal when it has seen its size. */
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

  /** A line that ends in `{n}` is followed by n bytes, whatever they are, and goes on after them. */
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
