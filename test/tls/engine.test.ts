/** What a TLS engine does beside carrying bytes, in the midst of them. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import tls from "node:tls";
import { type ClientConnectedCallback, ConnectionTimeoutError, type SocketAddress } from "asyncio-streams";
import { dial } from "../support/addresses.js";
import { certificateFile, trust } from "../support/certificates.js";
import { kinds } from "../support/pairs.js";
import { payload } from "../support/payload.js";
import { listen } from "../support/tls-kinds.js";
import { turns, until } from "../support/turns.js";
import { OpenSsl, options } from "./openssl.js";

const CLIENTS = 10;
const ROUNDS = 20;

/** Far longer than a busy machine takes. */
const LONG_MS = 20_000;

/** `openssl s_client` that obeys commands: K asks for new keys on both sides. */
function commandedClient(address: SocketAddress): OpenSsl {
  const where = typeof address === "string" ? ["-unix", address] : ["-connect", `127.0.0.1:${address[1]}`];
  return new OpenSsl("s_client", ...where, "-tls1_3", "-CAfile", certificateFile("ca"), "-servername", "localhost");
}

for (const kind of kinds) {
  describe(`the TLS engine over ${kind.name}`, () => {
    it("changes its keys when the peer asks for that, while bytes go both ways", options, async () => {
      const lines: string[] = [];
      const answer: ClientConnectedCallback = async (reader, writer) => {
        for await (const line of reader) {
          lines.push(line.toString());
          writer.write(payload(300_000));
          writer.write(`\nanswer ${lines.length}\n`);
          await writer.drain();
        }
        writer.close();
      };
      await using ours = await listen(kind, {}, answer);
      await using client = commandedClient(ours.address);
      let output = "";
      client.onOutput = (chunk) => {
        output = (output + chunk.toString("latin1")).slice(-1_000);
      };
      await until(() => ours.served.length === 1);
      for (let round = 1; round <= ROUNDS; round += 1) {
        await client.send("K\n");
        await until(() => client.complaints.split("KEYUPDATE").length > round);
        await client.send(`line ${round}\n`);
        await until(() => lines.length === round && output.includes(`answer ${round}\n`));
      }
      assert.deepEqual(
        lines,
        Array.from({ length: ROUNDS }, (_, index) => `line ${index + 1}\n`),
      );
      assert.ok(client.bytes > ROUNDS * 300_000);
      assert.deepEqual(ours.errors, []);
    });

    it("does not wait for ever for a write to a peer that left after the handshake", async () => {
      const outcomes: unknown[] = [];
      const callback: ClientConnectedCallback = async (reader, writer) => {
        await turns();
        writer.write("is anybody there?\n");
        await reader.read().catch(() => {});
        writer.close();
        outcomes.push(await writer.waitClosed().catch((error: unknown) => error));
      };
      await using ours = await listen(kind, { sslShutdownTimeout: LONG_MS }, callback);
      for (let count = 0; count < CLIENTS; count += 1) {
        const client = tls.connect({ ...dial(ours.address), ...trust, servername: "localhost" } as tls.ConnectionOptions);
        client.on("error", () => {});
        await once(client, "secureConnect");
        await turns();
        client.destroy();
      }
      await until(() => outcomes.length + ours.errors.length === CLIENTS);
      for (const outcome of outcomes) assert.equal(outcome instanceof ConnectionTimeoutError, false);
    });
  });
}
