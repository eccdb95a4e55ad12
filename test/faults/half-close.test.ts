/** Connections of which one side has ended: the other goes on for as long as it likes. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type End, kinds, openPair } from "../support/pairs.js";
import { cannot } from "../support/runtime.js";
import { tcpTls, unixTls } from "../support/tls-kinds.js";
import { turns } from "../support/turns.js";
import { pattern } from "./pattern.js";

const MUCH_BYTES = 8 * 1_048_576;

async function sendMuch({ writer }: End): Promise<void> {
  for (let at = 0; at < MUCH_BYTES; at += 65_536) {
    writer.write(pattern(at, 65_536));
    await writer.drain();
  }
}

async function receiveMuch({ reader }: End): Promise<void> {
  assert.ok((await reader.readexactly(MUCH_BYTES)).equals(pattern(0, MUCH_BYTES)));
}

for (const kind of kinds) {
  for (const [side, of] of [
    ["our side", (pair: { client: End; peer: End }) => [pair.client, pair.peer]],
    ["the peer's side", (pair: { client: End; peer: End }) => [pair.peer, pair.client]],
  ] as const) {
    describe(`a half-close of ${side} over ${kind.name}`, () => {
      it("ends that direction after the written bytes, and the other direction goes on", async () => {
        await using pair = await openPair(kind);
        const [ended, open] = of(pair) as [End, End];
        ended.writer.write("the last\n");
        ended.writer.writeEof();
        assert.equal((await open.reader.read()).toString(), "the last\n");
        assert.equal(open.reader.atEof(), true);
        await Promise.all([sendMuch(open), receiveMuch(ended)]);
        open.writer.writeEof();
        assert.equal((await ended.reader.read()).length, 0);
        for (const { writer } of [ended, open]) {
          writer.close();
          await writer.waitClosed();
        }
      });

      // Deno: end() on a TCP socket that has not read everything closes both sides.
      const unread = kind.name === "TCP" ? cannot("tcp-half-close-with-unread-data", "deno") : {};
      it("during the peer's answer cuts nothing off", unread, async () => {
        await using pair = await openPair(kind);
        const [ended, open] = of(pair) as [End, End];
        const sending = sendMuch(open);
        await ended.reader.readexactly(10);
        ended.writer.writeEof();
        assert.equal((await ended.reader.readexactly(MUCH_BYTES - 10)).equals(pattern(10, MUCH_BYTES - 10)), true);
        await sending;
        assert.equal((await open.reader.read()).length, 0);
      });
    });
  }

  describe(`a half-close of both sides over ${kind.name}`, () => {
    it("at the same time lets everything through, both ways", async () => {
      await using pair = await openPair(kind);
      await Promise.all(
        [pair.client, pair.peer].map(async (end) => {
          const receiving = receiveMuch(end);
          await sendMuch(end);
          end.writer.writeEof();
          await receiving;
          assert.equal((await end.reader.read()).length, 0);
        }),
      );
      for (const { writer } of [pair.client, pair.peer]) {
        await writer.drain();
        writer.close();
        await writer.waitClosed();
      }
    });
  });
}

for (const kind of [unixTls, tcpTls]) {
  describe(`an end of one side over ${kind.name}`, () => {
    it("is the end of both: the bytes written before it arrive", async () => {
      await using pair = await openPair(kind);
      assert.throws(() => pair.client.writer.writeEof(), { code: "ERR_INVALID_STATE" });
      pair.client.writer.write(pattern(0, 100_000));
      pair.client.writer.close();
      assert.ok((await pair.peer.reader.read()).equals(pattern(0, 100_000)));
      await turns();
      assert.equal(pair.peer.writer.isClosing(), true);
      await pair.peer.writer.waitClosed();
      await pair.client.writer.waitClosed();
    });
  });
}
