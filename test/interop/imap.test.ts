/** Dovecot, with the client of `examples/imap.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe } from "node:test";
import { openUnixConnection } from "asyncio-streams";
import { Imap, ImapError } from "../../examples/imap.js";
import { certificateFile, keyFile, trust } from "../support/certificates.js";
import { payload } from "../support/payload.js";
import { exampleOutput } from "./example.js";
import { type Program, program } from "./program.js";

const MIB = 1024 * 1024;
/** Dovecot runs as whoever starts it; of Debian's users, this one has nothing of its own. */
const INSTEAD_OF_ROOT = "mail";

/** One process group of one user, without a `chroot()`, all of whose files lie in the directory. */
function configure({ directory, socket }: Program): void {
  const { uid, username } = userInfo();
  const [user, group] =
    uid === 0 ? [INSTEAD_OF_ROOT, INSTEAD_OF_ROOT] : [username, execFileSync("id", ["-gn"], { encoding: "utf8" }).trim()];
  mkdirSync(join(directory, "mails"));
  chmodSync(join(directory, "mails"), 0o777);
  copyFileSync(certificateFile("server"), join(directory, "certificate"));
  copyFileSync(keyFile("server"), join(directory, "key"));
  chmodSync(join(directory, "key"), 0o644);
  const configuration = `
    base_dir = ${directory}/run
    state_dir = ${directory}/run
    log_path = /dev/stderr
    protocols = imap
    default_internal_user = ${user}
    default_login_user = ${user}
    default_internal_group = ${group}
    first_valid_uid = 1
    ssl = required
    ssl_cert = <${directory}/certificate
    ssl_key = <${directory}/key
    mail_location = maildir:${directory}/mails/%u
    auth_failure_delay = 0
    passdb {
      driver = static
      args = password=very"secret
    }
    userdb {
      driver = static
      args = uid=${user} gid=${group} home=${directory}/mails
    }
    service imap-login {
      chroot =
      inet_listener imap {
        port = 0
      }
      inet_listener imaps {
        port = 0
      }
      unix_listener ${socket} {
        mode = 0666
      }
    }
    service anvil {
      chroot =
      # Nobody has to wait longer because of those who had the wrong password.
      unix_listener anvil-auth-penalty {
        mode = 0
      }
    }`;
  writeFileSync(join(directory, "dovecot.conf"), configuration);
}

/** Its first words are a request for patience until all of its processes are there. */
async function isReady({ socket }: Program): Promise<void> {
  const [reader, writer] = await openUnixConnection(socket);
  const greeting = (await reader.readline()).toString();
  writer.abort();
  assert.match(greeting, /CAPABILITY/);
}

describe("Dovecot", () => {
  const server = program({
    name: "dovecot",
    package: "dovecot-imapd",
    insteadOfRoot: INSTEAD_OF_ROOT,
    prepare: configure,
    args: ({ directory }) => ["-F", "-c", join(directory, "dovecot.conf")],
    answers: isReady,
  });
  const { it } = server;

  async function logIn(user: string): Promise<Imap> {
    const imap = await Imap.connect(server.socket);
    await imap.startTls(trust);
    await imap.login(user, 'very"secret');
    return imap;
  }

  it("changes over to TLS by STARTTLS, and does not offer it again", async () => {
    const imap = await Imap.connect(server.socket);
    assert.match(imap.greeting, /STARTTLS/);
    assert.equal(await imap.startTls(trust), "TLSv1.3");
    const [capability] = await imap.command("CAPABILITY");
    assert.match(capability?.text ?? "", /^\* CAPABILITY IMAP4rev1(?!.*STARTTLS)/);
    await imap.logout();
  });

  it("is not trusted without the authority that it needs, nor under another name", async () => {
    const stranger = await Imap.connect(server.socket);
    await assert.rejects(stranger.startTls(true), { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
    const renamed = await Imap.connect(server.socket);
    await assert.rejects(renamed.startTls(trust, "elsewhere.example"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  it("refuses a wrong password, and the connection goes on", async () => {
    const imap = await Imap.connect(server.socket);
    await imap.startTls(trust);
    await assert.rejects(
      imap.login("me", 'wrong "\\'),
      (error) => error instanceof ImapError && error.message.includes("AUTHENTICATIONFAILED"),
    );
    await imap.login("me", 'very"secret');
    await imap.logout();
  });

  it("takes and gives messages that look like the protocol, byte for byte", async () => {
    const imap = await logIn("literal");
    const messages = ["Subject: none\r\n\r\n", "Subject: size\r\n\r\n{5}\r\nhello {7}", "Subject: end\r\n\r\n)\r\na3 OK done\r\n* BYE\r\n"];
    for (const message of messages) await imap.append("INBOX", Buffer.from(message));
    assert.equal(await imap.select("INBOX"), messages.length);
    const received: string[] = [];
    for await (const { literals } of imap.fetch("1:*", "UID BODY.PEEK[] FLAGS")) received.push(String(literals[0]));
    assert.deepEqual(received, messages);
    await imap.logout();
  });

  it("takes and gives a message of 8 MiB", async () => {
    const imap = await logIn("large");
    const body = payload(MIB - 64)
      .toString("base64")
      .replace(/.{76}/g, "$&\r\n");
    const message = Buffer.from(`Subject: large\r\n\r\n${body.repeat(6)}`);
    assert.ok(message.length > 8 * MIB);
    await imap.append("INBOX", message);
    assert.equal(await imap.select("INBOX"), 1);
    const [fetched] = await imap.command("FETCH 1 (BODY.PEEK[])");
    assert.ok(fetched?.literals[0]?.equals(message));
    await imap.logout();
  });

  it("gives 100 messages with one command, read as they come", async () => {
    const imap = await logIn("many");
    for (let number = 1; number <= 100; number += 1) await imap.append("INBOX", Buffer.from(`Subject: message ${number}\r\n\r\nhello\r\n`));
    assert.equal(await imap.select("INBOX"), 100);
    let number = 0;
    for await (const { text, literals } of imap.fetch("1:*", "BODY.PEEK[HEADER] BODY.PEEK[TEXT]")) {
      number += 1;
      assert.match(text, new RegExp(`^\\* ${number} FETCH \\(`));
      assert.deepEqual(literals.map(String), [`Subject: message ${number}\r\n\r\n`, "hello\r\n"]);
    }
    assert.equal(number, 100);
    await imap.logout();
  });

  it("answers the example as its header says", async () => {
    const imap = await logIn("example");
    for (let number = 1; number <= 7; number += 1) await imap.append("INBOX", Buffer.from(`Subject: number ${number}\r\n\r\n`));
    await imap.logout();
    const env = { IMAP_USER: "example", IMAP_PASSWORD: 'very"secret', IMAP_CA: certificateFile("ca") };
    const [greeting, ...lines] = exampleOutput("imap.js", [server.socket], env);
    assert.match(greeting ?? "", /^\* OK .*Dovecot/);
    const subjects = [3, 4, 5, 6, 7].map((number) => `21 bytes, Subject: number ${number}`);
    assert.deepEqual(lines, ["secured by TLSv1.3", "7 messages are in INBOX", ...subjects, ""]);
  });
});
