/**
 * Every way to TLS treats the plaintext of the readers alike: a writer's method however the writer was made, and `startTls()` of a protocol.
 * An attacker in the middle has inserted the bytes behind the command.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { createUnixConnection, StreamReader, StreamReaderProtocol, StreamWriter, startTls, type Transport } from "asyncio-streams";
import { identity, trust } from "../support/certificates.js";
import { openPair, type Pair, unix } from "../support/pairs.js";
import { HOST } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

const COMMAND = "STARTTLS\r\n";

type Role = "client" | "server";
type Upgrade = (transport: Transport, role: Role, reader: StreamReader) => Promise<unknown>;

const protocolOf = (transport: Transport): StreamReaderProtocol => transport.getProtocol() as StreamReaderProtocol;

/** Upgrades by a writer that the program has made. A writer takes the role of its protocol. */
function byWriter(make: (transport: Transport, role: Role, reader: StreamReader) => StreamWriter): Upgrade {
  return (transport, role, reader) => {
    const writer = make(transport, role, reader);
    return role === "client" ? writer.startTls(trust, HOST) : writer.startTls(identity("server"));
  };
}

/** Another protocol in that role, without a reader. */
const emptyProtocol = (role: Role): StreamReaderProtocol => new StreamReaderProtocol(null, role === "client" ? null : () => {});

const ways: Readonly<Record<string, Upgrade>> = {
  "a writer with its reader": byWriter((transport, _role, reader) => new StreamWriter(transport, protocolOf(transport), reader)),
  "a writer without a reader": byWriter((transport) => new StreamWriter(transport, protocolOf(transport))),
  "a writer with another reader": byWriter((transport) => new StreamWriter(transport, protocolOf(transport), new StreamReader())),
  "a writer with another protocol": byWriter((transport, role) => new StreamWriter(transport, emptyProtocol(role))),
  "a writer with another protocol and its reader": byWriter(
    (transport, role, reader) => new StreamWriter(transport, emptyProtocol(role), reader),
  ),
  "startTls() of the protocol": (transport, role) =>
    role === "client"
      ? startTls(transport, protocolOf(transport), trust, HOST)
      : startTls(transport, protocolOf(transport), identity("server"), { serverSide: true }),
};

/** The end of that role, and the far one. */
function endsOf(pair: Pair, role: Role): { reader: StreamReader; transport: Transport; far: StreamWriter } {
  const [end, far] = role === "client" ? [pair.client, pair.peer] : [pair.peer, pair.client];
  return { reader: end.reader, transport: end.writer.transport, far: far.writer };
}

/** Asserts that the reader has no plaintext any more, now and later. */
async function checkEmpty(reader: StreamReader): Promise<void> {
  assert.equal(reader.bufferedLength, 0);
  await reader.readline().then(
    (line) => assert.equal(String(line), ""),
    () => {},
  );
}

for (const role of ["client", "server"] as const) {
  for (const [name, upgrade] of Object.entries(ways)) {
    describe(`${name}, as the ${role}`, () => {
      it("never lets unread plaintext pass for secured data", async () => {
        await using pair = await openPair(unix);
        const { reader, transport, far } = endsOf(pair, role);
        far.write(`${COMMAND}EVIL\r\n`);
        assert.equal(String(await reader.readline()), COMMAND);
        await assert.rejects(upgrade(transport, role, reader));
        assert.equal(transport.isClosing(), true);
        await checkEmpty(reader);
      });

      it("makes a read wait that is called meanwhile", async () => {
        await using pair = await openPair(unix);
        const { reader, transport, far } = endsOf(pair, role);
        far.write("EVIL\r\n");
        await until(() => reader.bufferedLength > 0);
        const securing = upgrade(transport, role, reader);
        const outcome = reader.readline().then(String, () => "");
        await assert.rejects(securing);
        assert.equal(await outcome, "");
      });

      it("is refused while an adapter may hold plaintext, and the connection goes on", async () => {
        await using pair = await openPair(unix);
        const { reader, transport, far } = endsOf(pair, role);
        const readable = reader.toReadable();
        far.write(`${COMMAND}EVIL\r\n`);
        await once(readable, "readable");
        await assert.rejects(upgrade(transport, role, reader), { code: "ERR_INVALID_STATE", message: /toReadable\(\) may hold plaintext/ });
        assert.equal(transport.isClosing(), false);
        readable.destroy();
        assert.equal(String(await reader.readline()), COMMAND);
      });

      it("goes on with what is secured", async () => {
        await using pair = await openPair(unix);
        const { reader, transport, far } = endsOf(pair, role);
        const early = reader.readline();
        await Promise.all([
          upgrade(transport, role, reader),
          role === "client" ? far.startTls(identity("server")) : far.startTls(trust, HOST),
        ]);
        far.write("secured\r\n");
        assert.equal(String(await early), "secured\r\n");
      });
    });
  }
}

describe("startTls() of a protocol that extends StreamReaderProtocol", () => {
  it("never lets unread plaintext pass for secured data", async () => {
    class Counting extends StreamReaderProtocol {
      bytes = 0;
      override dataReceived(data: Buffer): void {
        this.bytes += data.length;
        super.dataReceived(data);
      }
    }
    await using pair = await openPair(unix);
    const reader = new StreamReader();
    const protocol = new Counting(reader);
    const accepted = pair.server.sockets[0]?.getsockname() as string;
    const [transport] = await createUnixConnection(() => protocol, accepted);
    reader.feedData("EVIL\r\n");
    await assert.rejects(startTls(transport, protocol, trust, HOST), /6 unread plaintext bytes are buffered/);
    await checkEmpty(reader);
    pair.server.abortClients();
  });
});

describe("readAhead of startTls()", () => {
  it("comes before what is unread in the reader of the protocol", async () => {
    await using pair = await openPair(unix);
    const { reader, transport, far } = endsOf(pair, "server");
    const client = far.startTls(trust, HOST);
    const readAhead = await reader.readexactly(5);
    await until(() => reader.bufferedLength > 0);
    await startTls(transport, protocolOf(transport), identity("server"), { serverSide: true, readAhead });
    await client;
    far.write("secured\r\n");
    assert.equal(String(await reader.readline()), "secured\r\n");
  });
});
