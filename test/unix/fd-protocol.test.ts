/** `setProtocol()` on a connection that carries descriptors: another protocol receives the bytes, and the reader keeps the descriptors. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { Protocol } from "asyncio-streams";
import { type FdStreamReader, type FdStreamWriter, loadUnix, openFdConnection, openSocketpair } from "asyncio-streams/unix";
import { needsLinux } from "../support/needs.js";
import { until } from "../support/turns.js";
import { openDescriptors } from "./numbered-messages.js";

type Pair = [reader: FdStreamReader, writer: FdStreamWriter];

async function openPair(options?: object): Promise<[Pair, Pair]> {
  const [one, other] = openSocketpair();
  return [await openFdConnection(null, { sock: one }), await openFdConnection(null, { sock: other, ...options })];
}

/** Receives bytes, and the end. */
class Recorder implements Protocol {
  bytes = "";
  lost: Error | null | undefined;
  connectionMade(): void {}
  dataReceived(data: Uint8Array): void {
    this.bytes += Buffer.from(data).toString();
  }
  eofReceived(): void {}
  pauseWriting(): void {}
  resumeWriting(): void {}
  connectionLost(error: Error | null): void {
    this.lost = error;
  }
}

describe("setProtocol() of a connection that carries descriptors", needsLinux, () => {
  let start = 0;
  before(async () => {
    await loadUnix();
    const pairs = await openPair(); // the first one opens the poller
    for (const [, writer] of pairs) writer.close();
    for (const [, writer] of pairs) await writer.waitClosed();
    start = openDescriptors();
  });

  const closings = {
    "close()": (writer: FdStreamWriter) => writer.close(),
    "abort()": (writer: FdStreamWriter) => writer.transport.abort(),
  };
  for (const [name, close] of Object.entries(closings))
    it(`leaves descriptors to the reader, which loses them at ${name}`, async () => {
      const [[, sender], [receiver, writer]] = await openPair();
      const recorder = new Recorder();
      writer.transport.setProtocol(recorder);
      await sender.sendFds("hello", [0, 1, 2]);
      await until(() => recorder.bytes === "hello");
      assert.equal(receiver.bufferedFds, 3);
      for (const descriptor of receiver.takeFds(1)) descriptor.close();
      close(writer);
      assert.equal(receiver.bufferedFds, 0);
      await until(() => recorder.lost !== undefined);
      assert.equal(recorder.lost, null);
      sender.close();
      await sender.waitClosed();
      await until(() => openDescriptors() <= start);
    });

  it("does not stop the bytes of the protocol before the limit, and ends the connection beyond it", async () => {
    const [[, sender], [receiver, writer]] = await openPair({ fdLimit: 10 });
    const recorder = new Recorder();
    writer.transport.setProtocol(recorder);
    for (let count = 1; count <= 10; count += 1) {
      await sender.sendFds("x", [0]);
      await until(() => recorder.bytes.length === count);
    }
    assert.equal(receiver.bufferedFds, 10);
    await sender.sendFds("x", [0]);
    await until(() => recorder.lost !== undefined);
    assert.equal((recorder.lost as Error & { code: string }).code, "ERR_DESCRIPTOR_LIMIT");
    sender.transport.abort();
    await sender.waitClosed().catch(() => {});
    await until(() => openDescriptors() <= start);
  });

  it("delivers both to the reader when it has its protocol back", async () => {
    const [[, sender], [receiver, writer]] = await openPair();
    const { transport } = writer;
    const own = transport.getProtocol();
    const recorder = new Recorder();
    transport.setProtocol(recorder);
    await sender.sendFds("1", [0]);
    await until(() => recorder.bytes === "1");
    transport.setProtocol(own);
    await sender.sendFds("2", [1, 2]);
    const [data, descriptors] = await receiver.receiveFds(10);
    assert.deepEqual([data.toString(), descriptors.length], ["2", 3]);
    for (const descriptor of descriptors) descriptor.close();
    for (const one of [sender, writer]) one.close();
    for (const one of [sender, writer]) await one.waitClosed();
    await until(() => openDescriptors() <= start);
  });
});
