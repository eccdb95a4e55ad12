/** `--starttls`: the dialogues of the protocols, with servers that speak them, and with servers that refuse. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type StreamReader, type StreamWriter, startServer, startUnixServer } from "asyncio-streams";
import { START_TLS_PROTOCOLS, type StartTlsProtocol } from "#src/command/start-tls.js";
import { addressOf } from "../support/addresses.js";
import { certificateFile, identity } from "../support/certificates.js";
import { socketPath } from "../support/temporary.js";
import { failure, run } from "./running.js";

/** What a server says (a `Buffer` or text), and what it then expects. */
type Step = readonly [says: string | Buffer, expects: string | Buffer];

/** Each dialogue up to its last answer, which follows. */
const DIALOGUES: Readonly<Record<StartTlsProtocol, readonly [steps: readonly Step[], last: string | Buffer]>> = {
  smtp: [
    [
      ["220-two lines\r\n220 hello\r\n", "EHLO localhost\r\n"],
      ["250-localhost\r\n250 STARTTLS\r\n", "STARTTLS\r\n"],
    ],
    "220 go\r\n",
  ],
  lmtp: [
    [
      ["220 hello\r\n", "LHLO localhost\r\n"],
      ["250 STARTTLS\r\n", "STARTTLS\r\n"],
    ],
    "220 go\r\n",
  ],
  imap: [[["* OK hello\r\n", "a1 STARTTLS\r\n"]], "* CAPABILITY X\r\na1 OK go\r\n"],
  pop3: [[["+OK hello\r\n", "STLS\r\n"]], "+OK go\r\n"],
  ftp: [[["220 hello\r\n", "AUTH TLS\r\n"]], "234 go\r\n"],
  nntp: [[["201 hello\r\n", "STARTTLS\r\n"]], "382 go\r\n"],
  ldap: [
    [["", Buffer.from(`301d02010177188016${Buffer.from("1.3.6.1.4.1.1466.20037").toString("hex")}`, "hex")]],
    Buffer.from("300c02010178070a010004000400", "hex"),
  ],
  postgres: [[["", Buffer.from("0000000804d2162f", "hex")]], "S"],
};

async function speak(reader: StreamReader, writer: StreamWriter, steps: readonly Step[], last: string | Buffer): Promise<void> {
  for (const [says, expects] of steps) {
    writer.write(says);
    assert.deepEqual(await reader.readexactly(expects.length), Buffer.from(expects as string));
  }
  writer.write(last);
  await writer.drain();
}

describe("connect --starttls", () => {
  it("has a test for every protocol", () => assert.deepEqual([...START_TLS_PROTOCOLS].sort(), Object.keys(DIALOGUES).sort()));

  for (const [protocol, [steps, last]] of Object.entries(DIALOGUES)) {
    it(`changes to TLS as ${protocol} does`, async () => {
      let problem: unknown = null;
      const server = await startServer(
        async (reader, writer) => {
          await speak(reader, writer, steps, last);
          await writer.startTls(identity("server"));
          writer.write(`secret: ${await reader.readline()}`);
          writer.close();
        },
        "localhost",
        0,
        { onClientError: (error) => (problem = error) },
      );
      const [, port] = addressOf(server) as readonly [string, number];
      const { stdout, stderr } = await run(["connect", "--starttls", protocol, "--ca", certificateFile("ca"), `localhost:${port}`], "x\n");
      assert.deepEqual([problem, stderr, String(stdout)], [null, "", "secret: x\n"]);
      await server.shutdown();
    });
  }

  const REFUSALS: readonly (readonly [StartTlsProtocol, string | Buffer, RegExp])[] = [
    ["smtp", "554 go away\x1b[31m\r\n", /the server refuses STARTTLS: 554 go away\?\[31m$/],
    ["smtp", "", /the server has closed the connection before TLS began$/],
    ["imap", "no greeting\r\n", /refuses STARTTLS: no greeting$/],
    ["imap", "* OK\r\na1 BAD unknown\r\n", /refuses STARTTLS: a1 BAD unknown$/],
    ["postgres", "N", /it is configured without SSL$/],
    ["postgres", "E", /refuses STARTTLS: E$/],
    ["ldap", Buffer.from("300c02010178070a010204000400", "hex"), /LDAP result 2$/],
    ["ldap", Buffer.from("3003020101", "hex"), /LDAP result missing$/],
    ["ldap", "HTTP", /does not answer as LDAP$/],
  ];
  for (const [protocol, answer, message] of REFUSALS) {
    it(`reports a refusal of ${protocol}: ${JSON.stringify(String(answer))}`, async () => {
      const path = socketPath();
      const server = await startUnixServer(
        async (reader, writer) => {
          writer.write(answer);
          writer.writeEof();
          await reader.read();
          writer.close();
        },
        path,
        { onClientError: () => {} },
      );
      assert.match(await failure(1, ["connect", "--starttls", protocol, "--insecure", path]), message);
      await server.shutdown();
    });
  }
});
