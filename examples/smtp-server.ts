/**
 * A server that receives mails over SMTP: commands are lines, a final line ends each mail, and STARTTLS upgrades the connection to TLS.
 *
 * Run it: node scripts/make-certificates.mjs && node build/examples/smtp-server.js 2525 [certificate key]
 *   and then: swaks --server localhost:2525 --tls --to you@mail.example   (instead of the port, you may pass the path of a Unix socket)
 * You will see: where it listens, and the sender, recipients, size and subject of each mail.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type ClientConnectedCallback,
  LimitOverrunError,
  type SSLServer,
  type StreamReader,
  startServer,
  startUnixServer,
} from "asyncio-streams";

/** A received mail. */
export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  /** Header and body, byte for byte. */
  readonly message: Buffer;
}

/** The options of `smtpServer()`. */
export interface SmtpOptions {
  readonly ssl: SSLServer;
  /** Delivers a mail. If it rejects, the connection is closed, and the client tries again later. */
  readonly deliver: (mail: Mail) => Promise<unknown>;
  /** Checks the user and password of a client. Without it, no client needs to log in. */
  readonly checkPassword?: (user: string, password: string) => boolean | Promise<boolean>;
  /** The maximum size of a mail in bytes. Default 32 MiB. */
  readonly maxBytes?: number;
}

const MAX_LINE_BYTES = 1_000;

/** Makes the callback for `startServer()` and `startUnixServer()`. */
export function smtpServer({ ssl, deliver, checkPassword, maxBytes = 33_554_432 }: SmtpOptions): ClientConnectedCallback {
  return async (reader, writer) => {
    let isKnown = checkPassword === undefined;
    let mail: { from: string; to: string[] } | null = null;
    const say = (...lines: readonly string[]): void => writer.write(`${lines.join("\r\n")}\r\n`);

    say("220 mail.example asyncio-streams");
    for await (const line of reader.lines({ encoding: "utf8", limit: MAX_LINE_BYTES })) {
      const command = /^\w+/.exec(line)?.[0].toUpperCase();
      const address = /<([^>]*)>/.exec(line)?.[1];
      const secured = writer.getExtraInfo("cipher") !== null;

      if (command === "EHLO" || command === "HELO" || command === "RSET") {
        mail = null;
        if (command !== "EHLO") say("250 mail.example");
        else {
          const more = secured ? (checkPassword === undefined ? [] : ["250-AUTH PLAIN"]) : ["250-STARTTLS"];
          say("250-mail.example", `250-SIZE ${maxBytes}`, "250-PIPELINING", ...more, "250 8BITMIME");
        }
      } else if (command === "STARTTLS" && !secured) {
        say("220 go ahead");
        // Plaintext commands injected behind this one are taken as the beginning of the handshake, which then fails.
        await writer.startTls(ssl);
        mail = null;
      } else if (command === "NOOP") {
        say("250 done");
      } else if (command === "QUIT") {
        say("221 goodbye");
        break;
      } else if (!secured) {
        say("530 STARTTLS first");
      } else if (command === "AUTH") {
        isKnown = await logIn(line, reader, say, checkPassword);
        say(isKnown ? "235 welcome" : "535 wrong password, or a way to log in other than PLAIN");
      } else if (!isKnown) {
        say("530 AUTH first");
      } else if (command === "MAIL") {
        if (mail !== null || address === undefined) say("503 one mail at a time, with the address of the sender");
        else if (Number(/ SIZE=(\d+)/i.exec(line)?.[1] ?? 0) > maxBytes) say(`552 at most ${maxBytes} bytes`);
        else {
          mail = { from: address, to: [] };
          say("250 OK");
        }
      } else if (command === "RCPT" && mail !== null && address !== undefined) {
        mail.to.push(address);
        say("250 OK");
      } else if (command === "DATA" && mail !== null && mail.to.length > 0) {
        say("354 send the mail, and end it with a dot");
        await writer.drain();
        const message = await receiveMessage(reader, maxBytes);
        if (message !== null) await deliver({ ...mail, message });
        say(message === null ? `552 at most ${maxBytes} bytes` : "250 accepted");
        mail = null;
      } else say("503 unknown command, or bad sequence of commands");
      await writer.drain();
    }
    writer.close();
  };
}

/** AUTH PLAIN of RFC 4954: the password comes behind the command, or on a line of its own. */
async function logIn(
  line: string,
  reader: StreamReader,
  say: (line: string) => void,
  checkPassword: SmtpOptions["checkPassword"],
): Promise<boolean> {
  const [, mechanism, initial] = line.split(" ");
  if (checkPassword === undefined || mechanism?.toUpperCase() !== "PLAIN") return false;
  if (initial === undefined) say("334 ");
  const answer = initial ?? (await reader.readline({ limit: MAX_LINE_BYTES })).toString();
  const [, user = "", password = ""] = Buffer.from(answer, "base64").toString().split("\0");
  return await checkPassword(user, password);
}

/** Reads up to the line that is a single dot; returns `null` if the mail is too large. Removes the dot that the client added to lines. */
async function receiveMessage(reader: StreamReader, maxBytes: number): Promise<Buffer | null> {
  reader.unread("\r\n"); // so that a dot on the first line is handled like any other
  for (let tooLarge = false; ; tooLarge = true) {
    try {
      const lines = await reader.readuntil("\r\n.\r\n", { limit: maxBytes });
      return tooLarge ? null : Buffer.from(lines.toString("latin1").slice(0, -3).replaceAll("\r\n.", "\r\n").slice(2), "latin1");
    } catch (error) {
      if (!(error instanceof LimitOverrunError)) throw error;
      await reader.skip(error.consumed);
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const certificates = new URL("../certificates/", import.meta.url);
  const [where = "2525", certificate = new URL("server.pem", certificates), key = new URL("server.key.pem", certificates)] =
    process.argv.slice(2);
  const serveClient = smtpServer({
    ssl: { cert: readFileSync(certificate), key: readFileSync(key) },
    deliver: async ({ from, to, message }) =>
      console.log(`from ${from} to ${to.join(", ")}, ${message.length} bytes: ${/^Subject:.*/im.exec(message.toString())?.[0]}`),
  });
  const server = await (/^\d+$/.test(where) ? startServer(serveClient, "127.0.0.1", Number(where)) : startUnixServer(serveClient, where));
  console.log(`listens on ${String(server.sockets[0]?.getsockname())}`);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.shutdown());
}
