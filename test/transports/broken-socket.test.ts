/** A `NodeWire` whose socket breaks while it is paused, with something received that was not delivered: it is held until reading goes on. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { NodeWire } from "#src/transports/node-wire.js";
import type { WireEvents } from "#src/transports/wire.js";
import { runtime } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";

/** What a wire reports, in order. */
class Notes implements WireEvents {
  readonly calls: string[] = [];
  handleData(chunk: Buffer): void {
    this.calls.push(`data ${chunk.toString()}`);
  }
  nextMemory(): null {
    return null;
  }
  handleEnd(): void {
    this.calls.push("end");
  }
  handleWriteError(error: Error): void {
    this.calls.push(`write error ${error.message}`);
  }
  handleError(error: Error): void {
    this.calls.push(`error ${error.message}`);
  }
  handleClose(): void {
    this.calls.push("close");
  }
  handleWritten(): void {}
}

/** A wire on a paused socket that has received "held", and has broken then. */
async function brokenWire(): Promise<{ wire: NodeWire; notes: Notes; end: () => Promise<void> }> {
  const server = net.createServer().listen(socketPath());
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[net.Socket]>;
  const socket = net.connect(server.address() as string);
  const [peer] = await accepted;
  peer.on("error", () => {});
  const wire = new NodeWire(socket);
  const notes = new Notes();
  wire.listen(notes);
  wire.resume();
  wire.pause();
  peer.write("held");
  await until(() => socket.readableLength === 4);
  socket.destroy(new Error("broken"));
  await until(() => notes.calls.length > 0);
  await turns(5);
  return {
    wire,
    notes,
    async end() {
      peer.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const onceReadAhead = { skip: runtime === "deno" && "a paused socket does not read ahead there" };

describe("a NodeWire whose socket breaks while it is paused", onceReadAhead, () => {
  it("refuses writes at once, and delivers the received bytes, then the error, when reading goes on", async () => {
    const { wire, notes, end } = await brokenWire();
    assert.deepEqual(notes.calls, ["write error broken"]);
    assert.equal(wire.write(Buffer.from("late"), false), false);
    assert.deepEqual([wire.dropped, wire.unsent], [true, 0]);
    wire.resume();
    await until(() => notes.calls.includes("close"));
    assert.deepEqual(notes.calls, ["write error broken", "data held", "error broken", "close"]);
    await end();
  });

  it("waits on if it is paused again before that", async () => {
    const { wire, notes, end } = await brokenWire();
    wire.resume();
    wire.pause();
    await turns(5);
    assert.deepEqual(notes.calls, ["write error broken"]);
    wire.resume();
    await until(() => notes.calls.includes("close"));
    await end();
  });

  it("drops it, and closes, if it is destroyed", async () => {
    const { wire, notes, end } = await brokenWire();
    wire.destroy();
    await until(() => notes.calls.includes("close"));
    await turns(5);
    assert.deepEqual(notes.calls, ["write error broken", "close"]);
    await end();
  });
});

describe("the deliveries of a NodeWire after a pause", onceReadAhead, () => {
  it("lies in memory of its own, though the stream joins it in the pool", async () => {
    const server = net.createServer().listen(socketPath());
    await once(server, "listening");
    const accepted = once(server, "connection") as Promise<[net.Socket]>;
    const socket = net.connect(server.address() as string);
    const [peer] = await accepted;
    const wire = new NodeWire(socket);
    const chunks: Buffer[] = [];
    const notes = new Notes();
    notes.handleData = (chunk) => void chunks.push(chunk);
    wire.listen(notes);
    wire.resume();
    wire.pause();
    for (let sent = 1; sent <= 3; sent += 1) {
      peer.write("piece");
      await until(() => socket.readableLength === 5 * sent);
    }
    wire.resume();
    await until(() => Buffer.concat(chunks).length === 15);
    for (const { buffer, length } of chunks) assert.equal(buffer.byteLength, length);
    wire.destroy();
    peer.destroy();
    await until(() => notes.calls.includes("close"));
    await new Promise((resolve) => server.close(resolve));
  });
});
