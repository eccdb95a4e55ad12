/** nodemailer over a connection of ours, with aiosmtpd. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { describe } from "node:test";
import { openConnection, toDuplex } from "asyncio-streams";
import { freePort } from "../support/bare-sockets.js";
import { clientOf } from "./clients.js";
import { program } from "./program.js";

interface Nodemailer {
  createTransport(options: object): {
    sendMail(mail: object): Promise<{ readonly accepted: readonly string[] }>;
    close(): void;
  };
}

describe("nodemailer", () => {
  let port = 0;
  const connect = async (): Promise<Duplex> => toDuplex(...(await openConnection("127.0.0.1", port)));
  const server = program({
    name: "aiosmtpd",
    package: "python3-aiosmtpd",
    async prepare() {
      port = await freePort();
    },
    args: ({ directory }) => ["-n", "-l", `127.0.0.1:${port}`, "-c", "aiosmtpd.handlers.Mailbox", join(directory, "mail")],
    async answers() {
      (await connect()).destroy();
    },
  });

  server.it("sends a mail, with its time limits, and with dots at the beginning of lines", async () => {
    const limits = { connectionTimeout: 60_000, greetingTimeout: 60_000, socketTimeout: 60_000 };
    const transport = clientOf<Nodemailer>("nodemailer").createTransport({ connection: await connect(), ignoreTLS: true, ...limits });
    const text = ".a line\r\n".repeat(10_000);
    const { accepted } = await transport.sendMail({ from: "a@example.org", to: "b@example.org", subject: "a test", text });
    assert.deepEqual(accepted, ["b@example.org"]);
    transport.close();
    const folder = join(server.directory, "mail", "new");
    const [file = ""] = readdirSync(folder);
    const mail = readFileSync(join(folder, file), "utf8");
    assert.match(mail, /^Subject: a test/m);
    assert.equal(mail.match(/^\.a line$/gm)?.length, 10_000);
  });
});
