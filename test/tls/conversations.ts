/** Conversations with TLS peers of other makes: our part of them. `peer.py` and `node-peers.test.ts` have the other. */
import assert from "node:assert/strict";
import { createHash, type Hash } from "node:crypto";
import type { ClientConnectedCallback, StreamReader, StreamWriter } from "asyncio-streams";
import { identity, trust } from "../support/certificates.js";
import { payload } from "../support/payload.js";
import type { TlsSetting } from "../support/tls-kinds.js";

const CHUNK = 262_144;
const MIB = 1_048_576;

/** Sends bytes, and then a line with their checksum. */
async function send(writer: StreamWriter, size: number): Promise<void> {
  const hash = createHash("sha256");
  for (let sent = 0; sent < size; sent += CHUNK) {
    const chunk = payload(Math.min(CHUNK, size - sent), sent);
    hash.update(chunk);
    writer.write(chunk);
    await writer.drain();
  }
  writer.write(`${hash.digest("hex")}\n`);
}

async function receive(reader: StreamReader, size: number): Promise<void> {
  const hash: Hash = createHash("sha256");
  for (let left = size; left > 0; ) {
    const chunk = await reader.read(Math.min(CHUNK, left));
    assert.ok(chunk.length > 0);
    hash.update(chunk);
    left -= chunk.length;
  }
  assert.equal((await reader.readline()).toString(), `${hash.digest("hex")}\n`);
}

type Part = (reader: StreamReader, writer: StreamWriter, size: number) => Promise<void>;

/** The side that begins. */
const ASK: Readonly<Record<string, Part>> = {
  async lines(reader, writer) {
    for (let number = 0; number < 5; number += 1) {
      writer.write(`line ${number}\n`);
      assert.equal((await reader.readline()).toString(), `LINE ${number}\n`);
    }
  },
  async bulk(reader, writer, size) {
    await Promise.all([send(writer, size), receive(reader, size)]);
    writer.write("done\n");
    assert.equal((await reader.readline()).toString(), "DONE\n");
  },
  async "last-words"(reader, _writer, size) {
    assert.equal((await reader.read()).length, size);
  },
};

/** The side that answers. */
const ANSWER: Readonly<Record<string, Part>> = {
  async lines(reader, writer) {
    for await (const line of reader) {
      writer.write(line.toString().toUpperCase());
      await writer.drain();
    }
  },
  async bulk(reader, writer, size) {
    await Promise.all([send(writer, size), receive(reader, size)]);
    await ANSWER["lines"]?.(reader, writer, size);
  },
  async "last-words"(_reader, writer, size) {
    writer.write(Buffer.alloc(size, "x"));
  },
};

/** Each conversation with its size in bytes; the full volume is for one setting. */
export function conversations(full: boolean): string[] {
  return ["lines 0", `bulk ${full ? 64 * MIB : MIB}`, "last-words 300000"];
}

/** Our client's part: secures the connection if it did not begin so, converses, closes. */
export async function converse(
  [reader, writer]: readonly [StreamReader, StreamWriter],
  setting: TlsSetting,
  conversation: string,
): Promise<void> {
  const { version } = setting;
  if (setting.begin === "startTls") {
    writer.write("STARTTLS\n");
    assert.equal((await reader.readline()).toString(), "go\n");
    await writer.startTls({ ...trust, minVersion: version, maxVersion: version }, { serverHostname: "localhost" });
  }
  assert.equal(writer.getExtraInfo("ssl_object")?.getProtocol(), version);
  const [name, size] = conversation.split(" ") as [string, string];
  writer.write(`${conversation}\n`);
  await ASK[name]?.(reader, writer, Number(size));
  writer.close();
  await writer.waitClosed();
}

/** Our server's part. */
export function answer({ begin, version }: TlsSetting): ClientConnectedCallback {
  return async (reader, writer) => {
    if (begin === "startTls") {
      assert.equal((await reader.readline()).toString(), "STARTTLS\n");
      writer.write("go\n");
      await writer.startTls({ ...identity("server"), minVersion: version, maxVersion: version });
    }
    const [name, size] = (await reader.readline()).toString().trim().split(" ") as [string, string];
    await ANSWER[name]?.(reader, writer, Number(size));
    writer.close();
    await writer.waitClosed();
  };
}
