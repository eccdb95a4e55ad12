/** What a program may do in a subclass: have members of any name that is not one of the protocol's own. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  createServer,
  createUnixServer,
  openConnection,
  openUnixConnection,
  StreamReader,
  StreamReaderProtocol,
  StreamWriter,
} from "asyncio-streams";
import { FakeTransport } from "../support/fake-transport.js";
import { socketPath } from "../support/temporary.js";

/** All names that an object has, its own and those of its classes, without those of `Object`. */
function namesOf(object: object): string[] {
  const names = new Set<string>();
  for (let owner: object | null = object; owner !== Object.prototype; owner = Object.getPrototypeOf(owner) as object) {
    for (const name of Reflect.ownKeys(owner)) names.add(String(name));
  }
  return [...names].filter((name) => name !== "constructor").toSorted();
}

const PROTOCOL = ["connectionLost", "connectionMade", "dataReceived", "eofReceived", "pauseWriting", "resumeWriting", "shutdownRequested"];
/** Names that no program has by accident. */
const RESERVED = ["asyncio-streams:nextMemory", "asyncio-streams:writingFailed"];

describe("the members of a StreamReaderProtocol", () => {
  it("are those of a protocol", () => {
    assert.deepEqual(namesOf(new StreamReaderProtocol(new StreamReader())), [...RESERVED, ...PROTOCOL]);
  });
});

/** Names that were internal once, and names that one gives to fields of one's own. */
const OWN_NAMES = [
  ...["closed", "drained", "isFlowing", "lossError", "lost", "nextMemory", "paced", "rejectOnceLost", "replaceTransport"],
  ...["shutdownSignal", "takeReadAhead", "tlsRole", "turned", "writingFailed"],
  ...["buffer", "ended", "engine", "flow", "limit", "options", "paused", "queue", "reader", "server", "transport", "writer"],
];

/** Gives an object a property of each name that is of no use to anyone else. */
function occupy<T extends object>(object: T): T {
  for (const name of OWN_NAMES) if (!(name in object)) Object.defineProperty(object, name, { value: "the program's own" });
  return object;
}

class OwnReader extends StreamReader {}
class OwnWriter extends StreamWriter {}

describe("a subclass with fields of its own", () => {
  for (const how of ["over TCP", "over a Unix socket"] as const) {
    it(`of StreamReaderProtocol, of StreamReader and of StreamWriter works ${how}`, async () => {
      let lost!: (error: Error | null) => void;
      const ended = new Promise<Error | null>((resolve) => {
        lost = resolve;
      });
      class Own extends StreamReaderProtocol {
        override connectionLost(error: Error | null): void {
          super.connectionLost(error);
          lost(error);
        }
      }
      const serve = async (reader: StreamReader, plain: StreamWriter): Promise<void> => {
        const writer = occupy(new OwnWriter(plain.transport, protocols[0] as Own, reader));
        assert.equal((await reader.readline()).toString(), "hello\n");
        writer.write("x".repeat(1_000_000));
        await writer.drain();
        await writer.flush();
        writer.close();
        await writer.waitClosed();
      };
      const protocols: Own[] = [];
      const make = (): Own => {
        const protocol = occupy(new Own(occupy(new OwnReader()), serve));
        protocols.push(protocol);
        return protocol;
      };
      const path = socketPath();
      await using server = await (how === "over TCP" ? createServer(make, "127.0.0.1", 0) : createUnixServer(make, path));
      const address = server.sockets[0]?.getsockname();
      const [reader, writer] =
        typeof address === "string" ? await openUnixConnection(address) : await openConnection("127.0.0.1", address?.[1]);
      writer.write("hello\n");
      assert.equal((await reader.read()).length, 1_000_000);
      writer.close();
      await writer.waitClosed();
      assert.equal(await ended, null);
    });
  }

  it("has no internal names in its way in a reader and a writer", () => {
    for (const object of [new StreamReader(), new StreamWriter(new FakeTransport(), new StreamReaderProtocol(null))]) {
      const taken = namesOf(object).filter((name) => OWN_NAMES.includes(name));
      assert.deepEqual(taken, object instanceof StreamWriter ? ["transport"] : []);
    }
  });
});
