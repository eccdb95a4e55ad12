/**
 * A TLS stream that is cut: what the runtime's own `tls` tells of it, as the table in `docs/guide/tls.md` has it, and what guards against it.
 * If a runtime begins to tell more, the first part fails: then the library can tell it, too.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import tls from "node:tls";
import { IncompleteReadError, type StreamReader } from "asyncio-streams";
import { delimited, lengthPrefixed } from "asyncio-streams/framing";
import { addressOf, dial } from "../support/addresses.js";
import { identity, trust } from "../support/certificates.js";
import { type Lane, Relay } from "../support/relay.js";
import { runtime } from "../support/runtime.js";
import { connectTo } from "../support/tls-kinds.js";

/** How the stream is cut, behind five bytes. */
const cuts: Readonly<Record<string, (peer: tls.TLSSocket, lane: Lane) => unknown>> = {
  "close_notify, then the end of TCP": (peer) => peer.end(),
  "the end of TCP, without close_notify": (_peer, lane) => lane.stop("end"),
  "the end of TCP inside a record": (peer, lane) => {
    lane.stopAfter(500, "end");
    peer.write(Buffer.alloc(2_000));
  },
  "a reset": (_peer, lane) => lane.stop("reset"),
};

/** What the runtime's own client tells. Deno: reports a reset as an end. */
function told(cut: string): string {
  return cut === "a reset" && runtime !== "deno" ? "ECONNRESET" : "end";
}

interface Cut extends AsyncDisposable {
  readonly relay: Relay;
  readonly peer: () => Promise<tls.TLSSocket>;
}

/** Node's TLS behind a relay. */
async function serve(version: tls.SecureVersion): Promise<Cut> {
  const server = tls.createServer({ ...identity("server"), minVersion: version, maxVersion: version, allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const peers: tls.TLSSocket[] = [];
  server.on("secureConnection", (peer) => peers.push(peer.on("error", () => {})));
  const relay = await Relay.to(addressOf(server));
  return {
    relay,
    async peer() {
      while (peers.length === 0) await once(server, "secureConnection");
      return peers[0]!;
    },
    async [Symbol.asyncDispose]() {
      for (const peer of peers) peer.destroy();
      await relay[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  describe(`a ${version} stream that is cut`, () => {
    for (const [name, cut] of Object.entries(cuts)) {
      it(`is ${told(name)} for the runtime's own client: ${name}`, async () => {
        await using far = await serve(version);
        const client = tls.connect({ ...dial(far.relay.address), ...trust, servername: "localhost" });
        const end = new Promise<string>((resolve) => {
          client.on("end", () => resolve("end")).on("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
        });
        const peer = await far.peer();
        peer.write("hello");
        await once(client, "data");
        cut(peer, far.relay.link.toClient);
        assert.equal(await end, told(name));
        client.destroy();
      });

      it(`is EOF or a reset for a reader: ${name}`, async () => {
        await using far = await serve(version);
        const [reader, writer] = await connectTo(far.relay.address);
        const peer = await far.peer();
        peer.write("hello");
        assert.equal((await reader.readexactly(5)).toString(), "hello");
        cut(peer, far.relay.link.toClient);
        if (name === "a reset") await assert.rejects(reader.read(1), { code: "ECONNRESET" });
        else assert.equal((await reader.read(1)).length, 0);
        writer.abort();
      });
    }
  });
}

/** Reads of a message that mark its end, and what is received of it. */
const guards: Readonly<Record<string, readonly [part: Uint8Array | string, read: (reader: StreamReader) => Promise<unknown>]>> = {
  "readexactly()": ["transfer", (reader) => reader.readexactly(20)],
  "readuntil()": ["transfer 10", (reader) => reader.readuntil("\n")],
  "lengthPrefixed()": [Buffer.from([0, 0, 0, 9, 1, 2]), (reader) => lengthPrefixed().readFrame(reader)],
  "delimited()": ["transfer 10", (reader) => delimited("\n").readFrame(reader)],
};

describe("a message that is cut off without close_notify", () => {
  for (const [name, [part, read]] of Object.entries(guards)) {
    it(`is an IncompleteReadError of ${name}`, async () => {
      await using far = await serve("TLSv1.3");
      const [reader, writer] = await connectTo(far.relay.address);
      const peer = await far.peer();
      peer.write(part);
      await reader.peek(Buffer.from(part).length);
      far.relay.link.toClient.stop("end");
      await assert.rejects(read(reader), (error) => error instanceof IncompleteReadError && error.partial.equals(Buffer.from(part)));
      writer.abort();
    });
  }

  it("is a last line without its newline for readline(), as in Python", async () => {
    await using far = await serve("TLSv1.3");
    const [reader, writer] = await connectTo(far.relay.address);
    (await far.peer()).write("transfer 10");
    await reader.peek(11);
    far.relay.link.toClient.stop("end");
    assert.equal((await reader.readline()).toString(), "transfer 10");
    writer.abort();
  });
});
