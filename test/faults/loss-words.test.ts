/** What is written in the turn in which the process ends is offered to the system. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Server } from "asyncio-streams";
import { Child, scriptCommand } from "../support/child.js";
import { tcp, unix } from "../support/pairs.js";
import { cannot, runtime } from "../support/runtime.js";
import { tcpTls } from "../support/tls-kinds.js";

const WAYS = [
  "process.exit()",
  "drain() and process.exit()",
  "close() and process.exit()",
  "an 'exit' handler",
  "a SIGTERM handler",
  "an uncaughtException handler",
  "an error that nobody catches",
  "a rejection that nobody handles",
];

const WORDS = "first\nlast words\n5000 bytes\n";

/** How the child's connections are driven: on Node in two ways. */
const WIRES = runtime === "node" ? { "libuv's handles": "0", "net.Socket": "1" } : { "net.Socket": "1" };

/** Closes a server at the end of the block. */
function closing(server: Server): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      server.abortClients();
      await server.waitClosed();
    },
  };
}

for (const kind of [unix, tcp, tcpTls]) {
  for (const [wire, isPlain] of Object.entries(WIRES)) {
    describe(`last words of a process over ${kind.name} on ${wire}`, () => {
      for (const way of kind === tcpTls ? WAYS : [...WAYS, "an 'exit' handler, after a write in the same turn"]) {
        // Deno: does not call 'exit' listeners for an error that nobody catches. Over TLS it sends nothing more in the turn of the exit, and
        // drain() does not wait for less than the high-water mark.
        const isOutOfReach = kind === tcpTls ? !way.includes("rejection") : way.includes("nobody catches");
        it(`arrive: ${way}`, isOutOfReach ? cannot("last-words", "deno") : {}, async () => {
          let received!: (text: string) => void;
          const reading = new Promise<string>((resolve) => {
            received = resolve;
          });
          const { server } = await kind.serve(async (reader, writer) => {
            const pieces: Buffer[] = [];
            // A reset may follow, since the process leaves without a word.
            const read = async (): Promise<void> => {
              for await (const chunk of reader.chunks()) pieces.push(chunk);
            };
            await read().catch(() => {});
            writer.abort();
            received(Buffer.concat(pieces).toString());
          });
          const address = server.sockets[0]!.getsockname();
          const where = typeof address === "string" ? address : String(address[1]);
          const command = scriptCommand("faults/last-words-child", way, where, kind === tcpTls ? "tls" : "");
          await using _closing = closing(server);
          await using child = new Child(command, {
            stdio: ["pipe", "pipe", "ignore"], // it may die of an error, and say so
            env: { ...process.env, ASYNCIO_STREAMS_PLAIN_SOCKETS: isPlain },
          });
          assert.equal(
            (await reading).replaceAll(/x+/g, ({ length }) => `${length} bytes`),
            WORDS,
          );
          await child.ended;
        });
      }
    });
  }
}
