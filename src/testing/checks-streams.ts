/** Checks of a transport under a reader and a writer, as most programs use it. */
import assert from "node:assert/strict";
import { StreamReaderProtocol } from "../streams/protocol.js";
import { StreamReader } from "../streams/reader.js";
import { StreamWriter } from "../streams/writer.js";
import { type CheckDefinition, type PairMaker, payload, withPair } from "./check-context.js";

interface End {
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
}

const VOLUME_BYTES = 4 * 1_048_576;
const PIECE_BYTES = 50_000;

/** Puts streams on a connected pair. */
function withStreams(make: PairMaker, body: (first: End, second: End) => Promise<void>): Promise<void> {
  return withPair(make, {}, async (pair) => {
    const [first, second] = [pair.first, pair.second].map((end): End => {
      const reader = new StreamReader();
      const protocol = new StreamReaderProtocol(reader);
      const { transport } = end;
      protocol.connectionMade(transport);
      const lost = protocol.connectionLost.bind(protocol);
      // `withPair()` waits for the loss on the original protocols.
      protocol.connectionLost = (error) => {
        lost(error);
        end.connectionLost(error);
      };
      transport.setProtocol(protocol);
      return { reader, writer: new StreamWriter(transport, protocol, reader) };
    }) as [End, End];
    await body(first, second);
  });
}

async function send(writer: StreamWriter): Promise<void> {
  for (let sent = 0; sent < VOLUME_BYTES; sent += PIECE_BYTES) {
    writer.write(payload(Math.min(PIECE_BYTES, VOLUME_BYTES - sent), sent));
    await writer.drain();
  }
}

export const streamChecks: readonly CheckDefinition[] = [
  {
    name: "streams: carries megabytes each way at the same time, with backpressure from drain() and the reader's limit",
    run: ({ makePair }) =>
      withStreams(makePair, async (first, second) => {
        const [, , here, there] = await Promise.all([
          send(first.writer),
          send(second.writer),
          first.reader.readexactly(VOLUME_BYTES),
          second.reader.readexactly(VOLUME_BYTES),
        ]);
        assert.ok(
          here.equals(payload(VOLUME_BYTES)) && there.equals(payload(VOLUME_BYTES)),
          "the received bytes differ from the sent bytes",
        );
      }),
  },
  {
    name: "streams: answers lines one by one",
    run: ({ makePair }) =>
      withStreams(makePair, async (first, second) => {
        const answer = async (): Promise<void> => {
          for await (const line of second.reader) second.writer.write(line.toString().toUpperCase());
          second.writer.close();
        };
        const answering = answer();
        for (let number = 0; number < 50; number += 1) {
          first.writer.write(`line ${number}\n`);
          assert.equal((await first.reader.readline()).toString(), `LINE ${number}\n`);
        }
        first.writer.close();
        await Promise.all([answering, first.writer.waitClosed(), second.writer.waitClosed()]);
      }),
  },
  {
    name: "streams: data sent before close() can still be read after the end of the connection, then EOF",
    run: ({ makePair }) =>
      withStreams(makePair, async (first, second) => {
        first.writer.write("last words");
        first.writer.close();
        await first.writer.waitClosed();
        assert.equal((await second.reader.readexactly(10)).toString(), "last words");
        assert.equal((await second.reader.read()).length, 0);
        assert.equal(second.reader.atEof(), true);
      }),
  },
  {
    name: "streams: drain() waits for a peer that does not read, and fails when the connection is aborted",
    clogged: true,
    run: ({ makeCloggedPair }) =>
      withStreams(makeCloggedPair, async (first) => {
        const draining = first.writer.drain();
        first.writer.transport.abort();
        await assert.rejects(draining, { name: "ConnectionLostError", code: "ECONNRESET" });
      }),
  },
];
