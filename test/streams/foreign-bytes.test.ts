/** What is bytes: a `Uint8Array` of whatever realm, with its memory, and nothing that only looks like one. For every call that takes bytes. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Data, StreamReader } from "asyncio-streams";
import { delimited, lengthPrefixed, netstring } from "asyncio-streams/framing";
import { memoryPair } from "asyncio-streams/testing";
import { detachedView } from "../support/detached.js";
import { fakes, foreignBytes } from "../support/foreign.js";
import { connectedStreams, readerOf, text } from "../support/readers.js";
import { turns } from "../support/turns.js";

const refused = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };

/** Every call that takes bytes, and what it makes of them. */
const calls: Readonly<Record<string, (bytes: Uint8Array) => Promise<unknown>>> = {
  async "write()"(bytes) {
    const { writer, transport } = connectedStreams();
    writer.write(bytes);
    return transport.calls.at(-1)?.replace("write ", "");
  },
  async "writelines()"(bytes) {
    const { writer, transport } = connectedStreams();
    writer.writelines([bytes]);
    return transport.calls.at(-1)?.replace("write ", "");
  },
  async "writelines() without a list"(bytes) {
    const { writer, transport } = connectedStreams();
    writer.writelines(bytes as unknown as Iterable<Data>);
    return transport.calls.at(-1)?.replace("write ", "");
  },
  async "unread()"(bytes) {
    const reader = readerOf(["x"]);
    reader.unread(bytes);
    return text(reader.readexactly(2));
  },
  async "feedData()"(bytes) {
    const reader = new StreamReader();
    reader.feedData(bytes);
    return text(reader.readexactly(1));
  },
  "readuntil()": (bytes) => text(readerOf(["abZ"]).readuntil(bytes)).then((found) => found.at(-1)),
  "readuntil() of a list": (bytes) => text(readerOf(["abZ"]).readuntil(["#", bytes])).then((found) => found.at(-1)),
  async "readinto()"(bytes) {
    await readerOf(["Z"]).readinto(bytes);
    return String.fromCharCode(bytes[0] as number);
  },
  "StreamReader.from()": (bytes) =>
    text(
      StreamReader.from(
        (async function* () {
          yield bytes;
        })(),
      ).readexactly(1),
    ),
  async "a frame with its length"(bytes) {
    const { writer, transport } = connectedStreams();
    lengthPrefixed({ prefix: 1 }).writeFrame(writer, bytes);
    return transport.calls.at(-1)?.at(-1);
  },
  async "a netstring"(bytes) {
    const { writer, transport } = connectedStreams();
    netstring().writeFrame(writer, bytes);
    return transport.calls.at(-2)?.replace("write ", "");
  },
  async "a frame with a delimiter"(bytes) {
    const { writer, transport } = connectedStreams();
    delimited("\n").writeFrame(writer, bytes);
    return transport.calls.at(-2)?.replace("write ", "");
  },
  async "a delimiter"(bytes) {
    return String(await delimited(bytes).readFrame(readerOf(["aZb"]))) === "a" ? "Z" : "";
  },
  async "a connection in memory"(bytes) {
    const [client, server] = memoryPair();
    client.writer.transport.write(bytes);
    const received = await text(server.reader.readexactly(1));
    client.writer.close();
    server.writer.close();
    await turns(3);
    return received;
  },
};

for (const [name, call] of Object.entries(calls)) {
  describe(`bytes of ${name}`, () => {
    it("may be of another realm", async () => assert.equal(String(await call(foreignBytes("Z"))).at(0), "Z"));

    for (const [what, fake] of Object.entries(fakes())) {
      it(`must not be ${what}`, () => assert.rejects(async () => call(fake), refused));
    }

    it("must not be detached", () => assert.rejects(async () => call(detachedView()), { ...refused, message: /detached/ }));
  });
}

describe("bytes of toWritable(), toWeb() and toDuplex()", () => {
  it("may be of another realm", async () => {
    const [client, server] = memoryPair();
    const stream = client.writer.toWeb().getWriter();
    await stream.write(foreignBytes("one "));
    await stream.close();
    assert.equal(String(await server.reader.read()), "one ");
    server.writer.toWritable().end(foreignBytes("two"));
    assert.equal(String(await client.reader.read()), "two");
    client.writer.close();
    server.writer.close();
    await turns(3);
  });
});

describe("a separator", () => {
  it("keeps its value of the call, even if the caller changes or detaches it meanwhile", async () => {
    const reader = new StreamReader();
    const [changed, given] = [Uint8Array.of(0x23), Uint8Array.of(0x23)];
    const line = reader.readuntil(changed);
    changed[0] = 0x61;
    reader.feedData("ab#");
    assert.equal(await text(line), "ab#");
    const next = reader.readuntil([given, "!"]);
    structuredClone(given, { transfer: [given.buffer] });
    reader.feedData("cd#");
    assert.equal(await text(next), "cd#");
  });
});
