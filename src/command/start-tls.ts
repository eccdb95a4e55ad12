/**
 * STARTTLS: the plaintext dialogue of a protocol by which both sides agree to change to TLS.
 *
 * Each dialogue ends before the first byte of TLS. What a server sends in plaintext behind its agreement is refused by `startTls()` of the
 * library, because an attacker could have put it there.
 */
import type { StreamReader, StreamWriter } from "../index.js";
import { Failure } from "./failure.js";

export type StartTlsProtocol = "smtp" | "lmtp" | "imap" | "pop3" | "ftp" | "nntp" | "ldap" | "postgres";

type Dialogue = (reader: StreamReader, writer: StreamWriter) => Promise<void>;

/** A reply of SMTP, FTP or NNTP: lines `250-...`, the last one `250 ...`. */
async function reply(reader: StreamReader, expected: string): Promise<void> {
  for (;;) {
    const line = await textLine(reader);
    if (!line.startsWith(expected)) throw refused(line);
    if (line[expected.length] !== "-") return;
  }
}

async function textLine(reader: StreamReader): Promise<string> {
  const line = String(await reader.readline());
  if (!line.endsWith("\n")) throw new Failure("the server has closed the connection before TLS began");
  return line.trimEnd();
}

function refused(line: string): Failure {
  const printable = line.replace(/[^ -~]/g, "?").slice(0, 200);
  return new Failure(`the server refuses STARTTLS: ${printable}`);
}

/** Of SMTP and LMTP, which differ in their greeting. */
function mail(hello: string): Dialogue {
  return async (reader, writer) => {
    await reply(reader, "220");
    writer.write(`${hello} localhost\r\n`);
    await reply(reader, "250");
    writer.write("STARTTLS\r\n");
    await reply(reader, "220");
  };
}

/** The extended request 1.3.6.1.4.1.1466.20037 of LDAP (RFC 4511, section 4.14), with the message ID 1. */
const LDAP_REQUEST = Uint8Array.from([0x30, 0x1d, 2, 1, 1, 0x77, 0x18, 0x80, 0x16, ...new TextEncoder().encode("1.3.6.1.4.1.1466.20037")]);

/** The tag of an enumerated value, one byte long: in the response, its first one is the result code. */
const LDAP_RESULT = Uint8Array.from([0x0a, 1]);

/** SSLRequest of PostgreSQL: its length, and the number 80877103. */
const POSTGRES_REQUEST = Uint8Array.from([0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]);

const DIALOGUES: Readonly<Record<StartTlsProtocol, Dialogue>> = {
  smtp: mail("EHLO"),
  lmtp: mail("LHLO"),
  async imap(reader, writer) {
    const greeting = await textLine(reader);
    if (!greeting.startsWith("* ")) throw refused(greeting);
    writer.write("a1 STARTTLS\r\n");
    for (;;) {
      const line = await textLine(reader);
      if (line.startsWith("* ")) continue;
      if (/^a1 OK\b/i.test(line)) return;
      throw refused(line);
    }
  },
  async pop3(reader, writer) {
    await reply(reader, "+OK");
    writer.write("STLS\r\n");
    await reply(reader, "+OK");
  },
  async ftp(reader, writer) {
    await reply(reader, "220");
    writer.write("AUTH TLS\r\n");
    await reply(reader, "234");
  },
  async nntp(reader, writer) {
    await reply(reader, "20");
    writer.write("STARTTLS\r\n");
    await reply(reader, "382");
  },
  async ldap(reader, writer) {
    writer.write(LDAP_REQUEST);
    const [tag, length] = await reader.readexactly(2);
    if (tag !== 0x30 || length === undefined || length > 0x7f) throw new Failure("the server does not answer as LDAP");
    const response = await reader.readexactly(length);
    const at = response.indexOf(LDAP_RESULT);
    const code = at === -1 ? undefined : response[at + LDAP_RESULT.length];
    if (code !== 0) throw refused(`LDAP result ${code ?? "missing"}`);
  },
  async postgres(reader, writer) {
    writer.write(POSTGRES_REQUEST);
    const answer = String(await reader.readexactly(1));
    if (answer !== "S") throw refused(answer === "N" ? "it is configured without SSL" : answer);
  },
};

/** The protocols of `--starttls`. */
export const START_TLS_PROTOCOLS: readonly StartTlsProtocol[] = Object.keys(DIALOGUES) as StartTlsProtocol[];

/** Leads the dialogue of a protocol up to the point at which TLS begins. */
export async function agreeOnTls(protocol: StartTlsProtocol, reader: StreamReader, writer: StreamWriter): Promise<void> {
  await DIALOGUES[protocol](reader, writer);
}
