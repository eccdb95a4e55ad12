/** Mail clients, swaks and Python's smtplib, at the server of `examples/smtp-server.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Server, type SocketAddress } from "asyncio-streams";
import { type Mail, type SmtpOptions, smtpServer } from "../../examples/smtp-server.js";
import { exampleCommand, startExample } from "../examples/run-example.js";
import { certificateFile, identity } from "../support/certificates.js";
import { kinds } from "../support/pairs.js";
import { payload } from "../support/payload.js";
import { testFile } from "../support/repository.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { findProgram } from "./program.js";

const swaksProgram = findProgram("swaks", "swaks");
const python = findProgram("python3", "python3");

const HEADER = "From: me@here.example\r\nTo: you@mail.example\r\nSubject: a mail\r\n\r\n";
const DOTS = `${HEADER}.\r\n..\r\n.hidden\r\n...\r\nend with a dot.\r\n.\r\n`;
const LARGE = `${HEADER}${payload(1_048_000).toString("base64").replace(/.{76}/g, "$&\r\n").repeat(6)}\r\n`;

/** How a program ended, and what it printed. */
interface Ending {
  readonly code: number | null;
  readonly output: string;
}

function run(command: string, ...args: readonly string[]): Promise<Ending> {
  return runWith({}, command, ...args);
}

/** Runs a command with more variables in its environment. */
async function runWith(more: NodeJS.ProcessEnv, command: string, ...args: readonly string[]): Promise<Ending> {
  const child: ChildProcess = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...more } });
  const output: Buffer[] = [];
  child.stdout?.on("data", (data: Buffer) => output.push(data));
  child.stderr?.on("data", (data: Buffer) => output.push(data));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output: Buffer.concat(output).toString() };
}

/** A file with a mail. */
function mailFile(text: string): string {
  const path = join(temporaryDirectory(), "mail");
  writeFileSync(path, text, "latin1");
  return path;
}

/** Sends a mail with swaks, which wants the dot at the end and puts others in front of those inside. */
function swaks(address: SocketAddress, text: string, ...more: readonly string[]): Promise<Ending> {
  const where = typeof address === "string" ? ["--socket", address] : ["--server", `localhost:${address[1]}`];
  const envelope = ["--from", "me@here.example", "--to", "you@mail.example,them@mail.example"];
  const tls = ["--tls", "--tls-verify", "--tls-ca-path", certificateFile("ca")];
  return run(swaksProgram, ...where, ...envelope, ...tls, "--data", `@${mailFile(`${text}.\r\n`)}`, "--suppress-data", ...more);
}

function smtplib(address: SocketAddress, ...texts: readonly string[]): Promise<string[]> {
  return smtplibWith({}, address, ...texts);
}

async function smtplibWith(more: NodeJS.ProcessEnv, address: SocketAddress, ...texts: readonly string[]): Promise<string[]> {
  const where = typeof address === "string" ? address : String(address[1]);
  const recipients = ["you@mail.example", "them@mail.example"];
  const script = testFile("interop/smtp_client.py");
  const args = [script, where, certificateFile("ca"), "me@here.example", texts.map(mailFile).join("+"), ...recipients];
  const { code, output } = await runWith(more, python, ...args);
  assert.equal(code, 0, output);
  return output.trim().split("\n");
}

for (const kind of kinds) {
  describe(`the mail server over ${kind.name}`, () => {
    async function serve(options: Partial<SmtpOptions> = {}): Promise<{ server: Server; address: SocketAddress; mails: Mail[] }> {
      const mails: Mail[] = [];
      const deliver = async (mail: Mail): Promise<unknown> => mails.push(mail);
      const { server } = await kind.serve(smtpServer({ ssl: identity("server"), deliver, ...options }));
      return { server, address: server.sockets[0]?.getsockname() as SocketAddress, mails };
    }

    const envelope = { from: "me@here.example", to: ["you@mail.example", "them@mail.example"] };

    for (const [what, text] of [
      ["a mail with dots at the beginning of its lines", DOTS],
      ["a mail of 8 MiB", LARGE],
    ] as const) {
      it(`takes ${what} from swaks, byte for byte`, async () => {
        const { server, address, mails } = await serve();
        const { code, output } = await swaks(address, text);
        assert.equal(code, 0, output);
        assert.match(output, /TLS started with cipher TLSv1\.3/);
        assert.deepEqual(
          mails.map(({ from, to }) => ({ from, to })),
          [envelope],
        );
        assert.ok(mails[0]?.message.equals(Buffer.from(text, "latin1")), "the mail differs");
        await server.shutdown();
      });

      it(`takes ${what} from smtplib, byte for byte`, async () => {
        const { server, address, mails } = await serve();
        const [clear, secured, ...results] = await smtplib(address, text, text);
        assert.equal(clear, "['8bitmime', 'pipelining', 'size', 'starttls']");
        assert.equal(secured, "['8bitmime', 'pipelining', 'size']");
        assert.deepEqual(results, ["sent", "sent"]);
        for (const mail of mails) {
          assert.ok(mail.message.equals(Buffer.from(text, "latin1")), "the mail differs");
          assert.deepEqual({ from: mail.from, to: mail.to }, envelope);
        }
        assert.equal(mails.length, 2);
        await server.shutdown();
      });
    }

    it("takes a mail from swaks that sends its commands without waiting", async () => {
      const { server, address, mails } = await serve();
      const { code, output } = await swaks(address, `${HEADER}hello\r\n`, "--pipeline");
      assert.equal(code, 0, output);
      assert.equal(mails[0]?.message.toString(), `${HEADER}hello\r\n`);
      await server.shutdown();
    });

    for (const [what, more] of [
      ["with the command", {}],
      ["on a line of its own", { SMTP_CHALLENGE: "1" }],
    ] as const) {
      it(`takes mails of a user who logs in with the right password, ${what}`, async () => {
        const asked: string[] = [];
        const checkPassword = async (user: string, password: string): Promise<boolean> => {
          asked.push(user);
          return password === "pass word: 1";
        };
        const { server, address, mails } = await serve({ checkPassword });
        const logIn = async (password: string): Promise<string[]> => {
          const lines = await smtplibWith({ SMTP_LOGIN: `me:${password}`, ...more }, address, DOTS);
          return lines.slice(1);
        };
        assert.deepEqual(await logIn("pass word: 1"), ["['8bitmime', 'auth', 'pipelining', 'size']", "logged in", "sent"]);
        assert.deepEqual((await logIn("wrong")).slice(1), ["535", "530"]);
        assert.deepEqual((await smtplib(address, DOTS)).slice(2), ["530"]);
        assert.deepEqual(asked, ["me", "me"]);
        assert.equal(mails.length, 1);
        await server.shutdown();
      });
    }

    it("takes a mail from swaks that logs in", async () => {
      const { server, address, mails } = await serve({ checkPassword: (user, password) => user === "me" && password === "secret" });
      const login = ["--auth", "PLAIN", "--auth-user", "me", "--auth-password"];
      assert.equal((await swaks(address, DOTS, ...login, "secret")).code, 0);
      assert.match((await swaks(address, DOTS, ...login, "wrong")).output, /535 wrong password/);
      assert.equal(mails.length, 1);
      await server.shutdown();
    });

    it("takes nothing in the clear", async () => {
      const { server, address, mails } = await serve();
      const where = typeof address === "string" ? ["--socket", address] : ["--server", `localhost:${address[1]}`];
      const { code, output } = await run(swaksProgram, ...where, "--from", "me@here.example", "--to", "you@mail.example");
      assert.notEqual(code, 0);
      assert.match(output, /530 STARTTLS first/);
      assert.deepEqual(mails, []);
      await server.shutdown();
    });

    it("refuses a mail that is too large, whether that was said before or not, and goes on", async () => {
      const { server, address, mails } = await serve({ maxBytes: 10_000 });
      assert.deepEqual((await smtplib(address, LARGE, DOTS)).slice(2), ["552", "sent"]);
      const { code, output } = await swaks(address, LARGE);
      assert.notEqual(code, 0);
      assert.match(output, /552 at most 10000 bytes[\s\S]*221 goodbye/);
      assert.equal(mails.length, 1);
      await server.shutdown();
    });
  });
}

describe("the mail server as a program", () => {
  it("prints what its header says, and leaves no file when it is ended", async () => {
    const path = socketPath("mail.sock");
    const example = startExample([...exampleCommand("smtp-server.js"), path], path);
    try {
      assert.equal(await example.nextLine(), `listens on ${path}`);
      assert.deepEqual((await smtplib(path, DOTS)).slice(2), ["sent"]);
      const expected = `from me@here.example to you@mail.example, them@mail.example, ${DOTS.length} bytes: Subject: a mail`;
      assert.equal(await example.nextLine(), expected);
    } finally {
      process.kill(example.process.pid as number, "SIGTERM");
    }
    assert.equal(await example.ended(), "");
    assert.equal(existsSync(path), false);
  });
});
