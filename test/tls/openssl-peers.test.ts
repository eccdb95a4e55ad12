/** OpenSSL's own programs at the other end: `openssl s_client` and `openssl s_server`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import { type ClientConnectedCallback, openConnection, openUnixConnection, type StreamReader, type StreamWriter } from "asyncio-streams";
import { certificateFile, identity, trust } from "../support/certificates.js";
import { echo } from "../support/echo.js";
import { kinds, unix } from "../support/pairs.js";
import { checksum, payload, receiveBytes, sendBytes } from "../support/payload.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { listen } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";
import { OpenSsl, options, shown } from "./openssl.js";

const FLAGS = { "TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3" } as const;
const MIB = 1_048_576;

for (const kind of kinds) {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const versions = { minVersion: version, maxVersion: version };
    const flag = FLAGS[version];

    describe(`openssl s_client over ${kind.name}, ${version}`, () => {
      it("is served line by line, and ends when it has no more to say", options, async () => {
        await using ours = await listen(kind, { ssl: { ...identity("server"), ...versions } });
        await using client = OpenSsl.client(ours.address, flag, "-no_ign_eof");
        void client.send("one\n");
        await until(() => client.output === "one\n");
        void client.send("two\n");
        await until(() => client.output === "one\ntwo\n");
        client.endInput();
        assert.equal(await client.end(), 0);
        await until(() => ours.served.every(({ writer }) => writer.isClosing()));
        await ours.served[0]?.writer.waitClosed();
        assert.deepEqual(ours.errors, []);
      });

      const sendAndClose: ClientConnectedCallback = async (_reader, writer) => {
        await sendBytes(writer, 4 * MIB);
        writer.close();
        await writer.waitClosed();
      };

      it("gets every byte before our close()", options, async () => {
        await using ours = await listen(kind, { ssl: { ...identity("server"), ...versions } }, sendAndClose);
        await using client = OpenSsl.client(ours.address, flag);
        await client.end();
        assert.deepEqual([client.bytes, client.checksum()], [4 * MIB, await checksum(4 * MIB)]);
      });

      const notified = kind === unix && options.skip === false ? cannot("close-notify-behind-much", "bun") : options;

      it("gets our close_notify behind them", notified, async () => {
        await using ours = await listen(kind, { ssl: { ...identity("server"), ...versions } }, sendAndClose);
        await using client = OpenSsl.client(ours.address, flag);
        assert.equal(await client.end(), 0, client.complaints);
        await until(() => ours.served[0]?.writer.isClosing() === true);
        await ours.served[0]?.writer.waitClosed();
        assert.deepEqual(ours.errors, []);
      });

      it("sends megabytes", options, async () => {
        let received: Promise<string> | undefined;
        const receive: ClientConnectedCallback = async (reader, writer) => {
          received = receiveBytes(reader, MIB);
          await received;
          writer.write("thanks\n");
          writer.close();
        };
        await using ours = await listen(kind, { ssl: { ...identity("server"), ...versions } }, receive);
        await using client = OpenSsl.client(ours.address, flag);
        void client.send(payload(MIB));
        await client.end();
        assert.equal(client.output, "thanks\n");
        assert.equal(await received, createHash("sha1").update(payload(MIB)).digest("hex"));
      });

      it("shows its certificate if that is required", options, async () => {
        const tellName: ClientConnectedCallback = (_reader, writer) => {
          writer.write(`${writer.getExtraInfo("peercert")?.subject.CN}\n`);
          writer.close();
        };
        const ssl = { ...identity("server"), ...trust, ...versions, requestCert: true };
        await using ours = await listen(kind, { ssl }, tellName);
        await using good = OpenSsl.client(ours.address, flag, ...shown("client"));
        await good.end();
        assert.equal(good.output, "asyncio-streams test: client\n");
        await using bad = OpenSsl.client(ours.address, flag, ...shown("client-of-other-ca"));
        await bad.end();
        assert.equal(bad.output, "");
        await until(() => ours.errors.length > 0);
        assert.deepEqual([ours.errors.length, ours.errors[0]?.writer, ours.served.length], [1, null, 1]);
      });

      for (const name of ["expired", "wrong-host", "self-signed"] as const) {
        it(`refuses the certificate ${name}, and the server receives its alert`, options, async () => {
          await using ours = await listen(kind, { ssl: { ...identity(name), ...versions } });
          await using client = OpenSsl.client(ours.address, flag);
          assert.notEqual(await client.end(), 0);
          await until(() => ours.errors.length > 0);
          const [{ error, writer }] = ours.errors as [(typeof ours.errors)[number]];
          assert.deepEqual([ours.errors.length, writer, ours.served.length], [1, null, 0]);
          assert.ok(typeof error.code === "string", String(error));
        });
      }
    });

    describe(`openssl s_server over ${kind.name}, ${version}`, () => {
      it("answers our client, and its close_notify ours", options, async () => {
        const path = kind === unix ? socketPath() : null;
        const where = path === null ? ["-accept", "127.0.0.1:0"] : ["-unix", path];
        await using server = new OpenSsl("s_server", ...where, flag, "-rev", ...shown("server"));
        await until(() => /ACCEPT/.test(server.output));
        const port = Number(/ACCEPT .*:(\d+)/.exec(server.output)?.[1]);
        for (let round = 0; round < 2; round += 1) {
          const tls = { ssl: { ...trust, ...versions }, serverHostname: "localhost" };
          const [reader, writer] = await (path === null ? openConnection("127.0.0.1", port, tls) : openUnixConnection(path, tls));
          writer.write("stressed\n");
          assert.equal((await reader.readline()).toString(), "desserts\n");
          writer.close();
          await writer.waitClosed();
        }
        if (path !== null) rmSync(path, { force: true });
      });

      it("asks for our certificate", options, async () => {
        const path = kind === unix ? socketPath() : null;
        const where = path === null ? ["-accept", "127.0.0.1:0"] : ["-unix", path];
        const asks = ["-Verify", "1", "-verify_return_error", "-CAfile", certificateFile("ca")];
        await using server = new OpenSsl("s_server", ...where, flag, "-rev", ...asks, ...shown("server"));
        await until(() => /ACCEPT/.test(server.output));
        const port = Number(/ACCEPT .*:(\d+)/.exec(server.output)?.[1]);
        const connect = (more: object): Promise<[StreamReader, StreamWriter]> => {
          const tls = { ssl: { ...trust, ...versions, ...more }, serverHostname: "localhost" };
          return path === null ? openConnection("127.0.0.1", port, tls) : openUnixConnection(path, tls);
        };
        const [reader, writer] = await connect(identity("client"));
        writer.write("drawer\n");
        assert.equal((await reader.readline()).toString(), "reward\n");
        writer.close();
        await writer.waitClosed();
        // In TLS 1.3 the refusal comes after our handshake is done, and the connection's end may overtake its reason.
        const refused = connect({}).then(async ([refusedReader, refusedWriter]) => {
          refusedWriter.write("drawer\n");
          const answer = await refusedReader.readline();
          refusedWriter.transport.abort();
          return answer;
        });
        assert.equal((await refused.catch(() => "")).length, 0);
        if (path !== null) rmSync(path, { force: true });
      });
    });
  }

  describe(`openssl s_client -starttls smtp over ${kind.name}`, () => {
    it("changes over, and is served", options, async () => {
      const mail: ClientConnectedCallback = async (reader, writer) => {
        writer.write("220 mail.example ready\r\n");
        for await (const line of reader) {
          const command = line.toString().trim().split(" ")[0];
          if (command === "EHLO") writer.write("250-mail.example\r\n250 STARTTLS\r\n");
          else if (command === "STARTTLS") {
            writer.write("220 go ahead\r\n");
            break;
          }
        }
        await writer.startTls(identity("server"));
        await echo(reader, writer);
      };
      const { server } = await kind.serve(mail);
      await using client = OpenSsl.client(server.sockets[0]!.getsockname(), "-starttls", "smtp", "-no_ign_eof");
      void client.send("secret\n");
      await until(() => client.output.endsWith("secret\n"));
      client.endInput();
      assert.equal(await client.end(), 0);
      server.close();
      await server.waitClosed();
    });
  });
}
