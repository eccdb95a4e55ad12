/**
 * Bytes that an adapter or an iterator has taken out of the reader in the clear, before `startTls()`: they must never come out as secured.
 * Somebody in the middle has slipped them in behind the command, in the same packet or a little later.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { StreamReader, type StreamWriter, toDuplex } from "asyncio-streams";
import { delimited, Framed, frameBatches, frames } from "asyncio-streams/framing";
import { identity, trust } from "../support/certificates.js";
import { type End, kinds, openPair, type Pair } from "../support/pairs.js";
import { HOST, secure } from "../support/tls-kinds.js";
import { turns, until } from "../support/turns.js";

const COMMAND = "STARTTLS\r\n";

/** Takes the command out of the reader, in the way of an adapter; returns how to leave it. */
type Take = (reader: StreamReader, writer: StreamWriter) => Promise<() => unknown>;

const takes: Readonly<Record<string, Take>> = {
  async toReadable(reader) {
    const readable = reader.toReadable();
    await once(readable, "data");
    readable.pause();
    return () => readable.destroy();
  },
  async "toReadable that reads ahead"(reader) {
    const readable = reader.toReadable();
    await once(readable, "readable"); // everything lies in its buffer
    return () => readable.destroy();
  },
  async "toReadable under node:readline"(reader) {
    const readable = reader.toReadable();
    const lines = createInterface({ input: readable });
    await once(lines, "line");
    return () => {
      lines.close();
      readable.destroy();
    };
  },
  async toWeb(reader) {
    const stream = reader.toWeb().getReader();
    await stream.read();
    return () => stream.cancel();
  },
  async "toWeb with memory of one's own"(reader) {
    const stream = reader.toWeb().getReader({ mode: "byob" });
    await stream.read(new Uint8Array(COMMAND.length));
    return () => stream.cancel();
  },
  async chunks(reader) {
    const chunks = reader.chunks();
    await chunks.next();
    return () => chunks.return?.();
  },
  async lineBatches(reader) {
    const batches = reader.lineBatches();
    await batches.next();
    return () => batches.return?.();
  },
  async frameBatches(reader) {
    const batches = frameBatches(reader, delimited("\n"));
    await batches.next();
    return () => batches.return?.();
  },
};

/** Both ends in each role: the end that takes, and the certificate that it shows or trusts. */
function roles(pair: Pair): readonly [role: string, end: End, far: End, startTls: (end: End) => Promise<void>][] {
  return [
    ["server", pair.peer, pair.client, ({ writer }) => writer.startTls(identity("server"))],
    ["client", pair.client, pair.peer, ({ writer }) => writer.startTls(trust, HOST)],
  ];
}

for (const kind of kinds) {
  for (const role of ["server", "client"] as const) {
    describe(`startTls() of a ${role} over ${kind.name}`, () => {
      for (const [name, take] of Object.entries(takes)) {
        const method = name.split(" ")[0] as string;
        for (const injected of ["", "EVIL\r\n", "EVIL\r\nEV"]) {
          it(`is refused while ${name} has taken ${JSON.stringify(COMMAND + injected)}, and the connection goes on`, async () => {
            await using pair = await openPair(kind);
            const [, end, far, startTls] = roles(pair).find(([one]) => one === role)!;
            far.writer.write(COMMAND + injected);
            const leave = await take(end.reader, end.writer);
            await assert.rejects(startTls(end), {
              code: "ERR_INVALID_STATE",
              message: `cannot startTls(): ${method}() may hold plaintext that it has taken from the reader`,
            });
            assert.equal(end.writer.isClosing(), false);
            await leave();
          });
        }

        it(`works once ${name} is left, if nothing was slipped in`, async () => {
          await using pair = await openPair(kind);
          const [, end, far] = roles(pair).find(([one]) => one === role)!;
          far.writer.write(COMMAND);
          const leave = await take(end.reader, end.writer);
          await leave();
          if (end.reader.bufferedLength > 0) assert.equal((await end.reader.readline()).toString(), COMMAND); // it was put back
          await secure(pair);
          far.writer.write("secured\r\n");
          assert.equal((await end.reader.readline()).toString(), "secured\r\n");
        });
      }
    });
  }
}

describe("startTls() while a Duplex of toDuplex() has taken bytes", () => {
  it("is refused", async () => {
    await using pair = await openPair(kinds[0]!);
    pair.client.writer.write(COMMAND);
    const duplex = toDuplex(pair.peer.reader, pair.peer.writer);
    await once(duplex, "data");
    await assert.rejects(pair.peer.writer.startTls(identity("server")), /cannot startTls\(\): toDuplex\(\) may hold plaintext/);
    duplex.destroy();
  });
});

describe("an adapter that has taken nothing", () => {
  it("does not stop startTls(), and reads what is secured", async () => {
    await using pair = await openPair(kinds[0]!);
    const readable = pair.peer.reader.toReadable();
    const line = once(readable, "data"); // a read waits
    await turns(3);
    await secure(pair);
    pair.client.writer.write("secured\r\n");
    assert.equal(String((await line)[0]), "secured\r\n");
    readable.destroy();
  });
});

describe("a Readable that is destroyed", () => {
  it("puts back what it has read ahead and not delivered, in order", async () => {
    await using pair = await openPair(kinds[0]!);
    const { reader } = pair.peer;
    pair.client.writer.write("first ");
    const readable = reader.toReadable();
    await once(readable, "readable");
    pair.client.writer.write("second ");
    await until(() => readable.readableLength === 13);
    assert.equal(String(readable.read(3)), "fir");
    readable.destroy();
    pair.client.writer.write("third");
    assert.equal((await reader.readexactly(15)).toString(), "st second third");
  });

  it("puts back a chunk that is under way, too", async () => {
    await using pair = await openPair(kinds[0]!);
    const { reader } = pair.peer;
    pair.client.writer.write("line\n");
    await until(() => reader.bufferedLength === 5);
    const readable = reader.toReadable();
    readable.read(0); // takes the chunk, which arrives in a microtask
    assert.equal(reader.bufferedLength, 0);
    readable.destroy();
    assert.equal((await reader.readline()).toString(), "line\n");
  });

  it("drops what it has decoded", async () => {
    await using pair = await openPair(kinds[0]!);
    pair.client.writer.write("text");
    const readable = pair.peer.reader.toReadable().setEncoding("utf8");
    await once(readable, "readable");
    readable.destroy();
    assert.equal(pair.peer.reader.bufferedLength, 0);
  });
});

/** Reads a message, in each way that may wait while `startTls()` is in progress. */
const reads: Readonly<Record<string, (reader: StreamReader, writer: StreamWriter) => Promise<unknown>>> = {
  readline: (reader) => reader.readline(),
  "readline with options": (reader) => reader.readline({ timeout: 60_000 }),
  readuntil: (reader) => reader.readuntil("\r\n"),
  readexactly: (reader) => reader.readexactly(6),
  read: (reader) => reader.read(6),
  peek: (reader) => reader.peek(6),
  readinto: (reader) => reader.readinto(new Uint8Array(6)),
  "for await": async (reader) => (await reader[Symbol.asyncIterator]().next()).value,
  lines: async (reader) => (await reader.lines().next()).value,
  frames: async (reader) => (await frames(reader, delimited("\r\n")).next()).value,
  Framed: (reader, writer) => new Framed(reader, writer, delimited("\r\n")).readFrame(),
};

describe("a read that waits", () => {
  for (const [name, read] of Object.entries(reads)) {
    for (const when of ["before", "after"] as const) {
      it(`does not get what was received in the clear: ${name}, begun ${when} startTls()`, async () => {
        await using pair = await openPair(kinds[0]!);
        const { reader, writer } = pair.peer;
        pair.client.writer.write("par");
        await until(() => reader.bufferedLength === 3);
        const early = when === "before" && !["read", "readinto"].includes(name) ? read(reader, writer) : null;
        const securing = writer.startTls(identity("server"));
        reader.feedData("EVIL\r\n"); // arrives while the write buffer is drained
        const result = early ?? read(reader, writer);
        const outcome = result.then(
          (value) => String(value),
          () => "refused",
        );
        await assert.rejects(securing);
        assert.ok(["refused", "", "0", "null", "undefined"].includes(await outcome), await outcome);
      });
    }
  }

  it("gets what is secured", async () => {
    await using pair = await openPair(kinds[0]!);
    const early = pair.peer.reader.readline();
    const securing = secure(pair);
    const late = pair.client.reader.readline();
    await securing;
    pair.client.writer.write("to the server\r\n");
    pair.peer.writer.write("to the client\r\n");
    assert.deepEqual([String(await early), String(await late)], ["to the server\r\n", "to the client\r\n"]);
  });

  it("is still refused beside another", async () => {
    await using pair = await openPair(kinds[0]!);
    const first = pair.peer.reader.readline();
    const securing = secure(pair);
    await assert.rejects(pair.peer.reader.readline(), { code: "ERR_CONCURRENT_READ" });
    assert.equal((await pair.peer.reader.read(0)).length, 0);
    await securing;
    pair.client.writer.write("line\n");
    await first;
  });

  it("continues in the clear if startTls() is refused", async () => {
    await using pair = await openPair(kinds[0]!);
    const { reader, writer } = pair.peer;
    writer.transport.startTls = undefined as never; // a transport that has none
    const line = reader.readline();
    const securing = writer.startTls(identity("server"));
    reader.feedData("in the clear\n");
    await assert.rejects(securing, /this transport does not support it/);
    assert.equal((await line).toString(), "in the clear\n");
  });
});

/** Loops that pass on one message at a time. */
const loops: Readonly<Record<string, (reader: StreamReader) => AsyncIterator<unknown>>> = {
  "for await": (reader) => reader[Symbol.asyncIterator](),
  lines: (reader) => reader.lines({ encoding: "utf8" }),
  frames: (reader) => frames(reader, delimited("\r\n")),
};

describe("a reader made of another one", () => {
  for (const [what, from] of [
    ["the reader itself", (reader: StreamReader) => StreamReader.from(reader)],
    ["its lines", (reader: StreamReader) => StreamReader.from(reader.lines({ keepSeparator: true }))],
  ] as const) {
    for (const injected of ["", "EVIL\r\n"]) {
      it(`may hold what was slipped in, so startTls() is refused: ${what}, ${JSON.stringify(injected)}`, async () => {
        await using pair = await openPair(kinds[0]!);
        const second = from(pair.peer.reader);
        pair.client.writer.write(COMMAND + injected);
        assert.equal(String(await second.readline()), COMMAND);
        await assert.rejects(pair.peer.writer.startTls(identity("server")), { message: /StreamReader\.from\(\) may hold/ });
        pair.client.writer.close();
        assert.equal(String(await second.read()), injected);
      });
    }
  }

  it("has been left once it is cancelled", async () => {
    await using pair = await openPair(kinds[0]!);
    const second = StreamReader.from(pair.peer.reader);
    pair.client.writer.write(COMMAND);
    await second.readline();
    await second.cancel();
    pair.client.writer.write("NOOP\r\n");
    assert.equal(String(await pair.peer.reader.readline()), "NOOP\r\n");
    await secure(pair);
  });
});

describe("a loop over lines or frames", () => {
  for (const [name, loop] of Object.entries(loops)) {
    it(`that waits for more is ahead of the program, so startTls() is refused: ${name}`, async () => {
      await using pair = await openPair(kinds[0]!);
      const { reader, writer } = pair.peer;
      const iterator = loop(reader);
      for (const arrival of ["behind a wait", "at hand"]) {
        pair.client.writer.write(COMMAND);
        if (arrival === "at hand") await until(() => reader.bufferedLength === COMMAND.length);
        await iterator.next();
        const next = iterator.next();
        await assert.rejects(writer.startTls(identity("server")), { code: "ERR_INVALID_STATE", message: /may hold/ });
        pair.client.writer.write("NOOP\r\n"); // the connection goes on
        await next;
      }
    });

    it(`may call startTls() in its body, and goes on with what is secured: ${name}`, async () => {
      await using pair = await openPair(kinds[0]!);
      const { reader, writer } = pair.peer;
      const iterator = loop(reader);
      pair.client.writer.write(`NOOP\r\n${COMMAND}`);
      for (const line of ["NOOP", "STARTTLS"]) assert.equal(String((await iterator.next()).value).trim(), line);
      await Promise.all([writer.startTls(identity("server")), pair.client.writer.startTls(trust, HOST)]);
      pair.client.writer.write("over TLS\r\n");
      assert.equal(String((await iterator.next()).value).trim(), "over TLS");
    });
  }
});

describe("startTls() beside other calls of the reader", () => {
  it("is refused while a skip() waits, which would drop secured bytes for others", async () => {
    await using pair = await openPair(kinds[0]!);
    const skipping = pair.peer.reader.skip(5);
    await assert.rejects(pair.peer.writer.startTls(identity("server")), /cannot startTls\(\): a skip\(\) is waiting for data/);
    pair.client.writer.write("12345");
    assert.equal(await skipping, 5);
  });

  it("takes what was put back for the handshake", async () => {
    await using pair = await openPair(kinds[0]!);
    pair.client.reader.unread("EVIL\r\n");
    await assert.rejects(pair.client.writer.startTls(trust, HOST), /6 unread plaintext bytes are buffered/);
  });

  it("refuses unread() and feedData() once the handshake has begun", async () => {
    await using pair = await openPair(kinds[0]!);
    const { reader, writer } = pair.client;
    const securing = writer.startTls(trust, HOST);
    await turns(2);
    assert.throws(() => reader.unread("EVIL\r\n"), { code: "ERR_INVALID_STATE", message: "cannot unread() during startTls()" });
    assert.throws(() => reader.feedData("EVIL\r\n"), { code: "ERR_INVALID_STATE", message: "cannot feedData() during startTls()" });
    await pair.peer.writer.startTls(identity("server"));
    await securing;
    reader.unread("mine\n"); // the program's own
    assert.equal((await reader.readline()).toString(), "mine\n");
  });

  it("may follow a loop over chunks that was left by a time-out", async () => {
    await using pair = await openPair(kinds[0]!);
    pair.client.writer.write(COMMAND);
    const { reader } = pair.peer;
    const loop = async (): Promise<void> => {
      for await (const chunk of reader.chunks(100, { timeout: 20 })) assert.equal(chunk.toString(), COMMAND);
    };
    await assert.rejects(loop(), { name: "TimeoutError" });
    await secure(pair);
  });
});
