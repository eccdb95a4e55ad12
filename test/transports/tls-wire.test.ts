/** A wire over a socket that Node's TLS has secured. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import tls from "node:tls";
import { NodeWire } from "#src/transports/node-wire.js";
import type { Wire, WireEvents } from "#src/transports/wire.js";
import { identity, trust } from "../support/certificates.js";
import { payload } from "../support/payload.js";
import { runtime } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";

const BYTES = 1_000_000;

/** Notes what a wire tells. */
class Notes implements WireEvents {
  readonly calls: string[] = [];
  readonly chunks: Buffer[] = [];
  length = 0;
  onData: (chunk: Buffer) => void = () => {};

  handleData(chunk: Buffer): void {
    if (this.calls.at(-1) !== "data") this.calls.push("data");
    this.chunks.push(chunk);
    this.length += chunk.length;
    this.onData(chunk);
  }
  nextMemory(): null {
    return null;
  }
  handleEnd(): void {
    this.calls.push("end");
  }
  handleWriteError(): void {
    this.calls.push("write error");
  }
  handleError(): void {
    this.calls.push("error");
  }
  handleClose(): void {
    this.calls.push("close");
  }
  handleWritten(): void {
    if (this.calls.at(-1) !== "written") this.calls.push("written");
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
  get isClosed(): boolean {
    return this.calls.includes("close");
  }
}

interface Ends extends AsyncDisposable {
  /** The server's, not yet a wire. */
  readonly near: tls.TLSSocket;
  readonly far: tls.TLSSocket;
}

/** Two secured sockets with an open end each. */
async function openEnds(options: tls.TlsOptions = {}): Promise<Ends> {
  const server = tls.createServer({ ...identity("server"), ...options });
  const path = socketPath();
  server.listen(path);
  await once(server, "listening");
  const far = tls.connect({ path, ...trust, servername: "localhost" });
  far.on("error", () => {});
  const [[near]] = (await Promise.all([once(server, "secureConnection"), once(far, "secureConnect")])) as unknown as [[tls.TLSSocket]];
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      near.destroy();
      far.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function makeWire(near: tls.TLSSocket): { wire: Wire; notes: Notes } {
  const wire = new NodeWire(near);
  const notes = new Notes();
  wire.listen(notes);
  return { wire, notes };
}

/** What comes, up to so many bytes. */
async function receive(far: tls.TLSSocket, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  far.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
  });
  await until(() => length >= count);
  far.removeAllListeners("data");
  return Buffer.concat(chunks);
}

describe("a secured wire", { skip: runtime !== "node" && "Node only" }, () => {
  it("delivers held back data, also if each chunk pauses and resumes it", async () => {
    await using ends = await openEnds();
    const { wire, notes } = makeWire(ends.near);
    notes.onData = () => {
      wire.pause();
      if (notes.chunks.length > 1) wire.resume(); // the first is followed by what is held back
    };
    wire.resume();
    ends.far.cork();
    for (let at = 0; at < 40_000; at += 1_000) ends.far.write(payload(1_000, at));
    ends.far.uncork();
    await until(() => notes.length > 0);
    await turns(20); // the engine decrypts what it has, paused or not
    wire.resume();
    await until(() => notes.length === 40_000);
    ends.far.write(payload(1_000, 40_000));
    await until(() => notes.length === 41_000 || notes.isClosed);
    assert.deepEqual([notes.calls, notes.bytes.equals(payload(41_000))], [["data"], true]);
  });

  it("delivers held back data before the end if it is resumed, paused and ended in one turn", async () => {
    await using ends = await openEnds();
    const { wire, notes } = makeWire(ends.near);
    let ending = false;
    notes.onData = () => {
      if (!ending) wire.pause();
    };
    wire.resume();
    ends.far.cork();
    for (let at = 0; at < 40_000; at += 1_000) ends.far.write(payload(1_000, at));
    ends.far.uncork();
    await until(() => notes.length > 0);
    await turns(20);
    wire.resume();
    wire.pause();
    ending = true;
    wire.close();
    await until(() => notes.isClosed);
    assert.ok(!notes.calls.includes("error"), notes.calls.join());
    assert.equal(wire.errored, null);
  });

  it("reports the events of its socket", async () => {
    await using ends = await openEnds();
    assert.equal(new NodeWire(ends.near).facts, ends.near);
  });
});

describe("reading from a secured wire", { skip: runtime !== "node" && "Node only" }, () => {
  it("begins with the data that came before the wire was made", async () => {
    await using ends = await openEnds();
    ends.far.write("early ");
    await until(() => ends.near.readableLength > 0);
    const { wire, notes } = makeWire(ends.near);
    ends.far.write("late");
    await turns(20);
    assert.deepEqual(notes.calls, []);
    wire.resume();
    await until(() => notes.length === 10);
    assert.equal(notes.bytes.toString(), "early late");
  });

  it("reports an end that came before the wire was made", async () => {
    await using ends = await openEnds();
    ends.far.end("last words");
    await until(() => ends.near.readableLength > 0);
    await turns(20);
    const { wire, notes } = makeWire(ends.near);
    wire.resume();
    await until(() => notes.isClosed);
    assert.deepEqual(notes.calls, ["data", "end", "close"]);
    assert.equal(notes.bytes.toString(), "last words");
  });

  it("delivers nothing while it is paused, and then everything, the end last", async () => {
    await using ends = await openEnds();
    const { wire, notes } = makeWire(ends.near);
    let paused = false;
    notes.onData = () => {
      assert.equal(paused, false);
      paused = true;
      wire.pause();
    };
    ends.far.end(payload(BYTES));
    wire.resume();
    let pauses = 0;
    while (!notes.isClosed) {
      await turns(2);
      if (!paused) continue;
      assert.ok(notes.length === BYTES || !notes.calls.includes("end"));
      pauses += 1;
      paused = false;
      wire.resume();
    }
    assert.ok(pauses > 10);
    assert.ok(notes.bytes.equals(payload(BYTES)));
    assert.deepEqual(notes.calls, ["data", "end", "close"]);
  });

  it("delivers at most 64 KiB at a time, in memory that is not written to again", async () => {
    await using ends = await openEnds();
    const { wire, notes } = makeWire(ends.near);
    wire.resume();
    let sent = 0;
    for (const size of [5, 70_000, 1, 4_095, 4_096, 16_384, 16_385, 3, 300_000, 2, 2, 9_000, 200_000, 1]) {
      ends.far.write(payload(size, sent));
      sent += size;
      if (size < 10_000) await until(() => notes.length === sent);
    }
    await until(() => notes.length === sent);
    assert.ok(notes.bytes.equals(payload(sent)));
    for (const chunk of notes.chunks) assert.ok(chunk.buffer.byteLength <= 65_536, `${chunk.buffer.byteLength} bytes`);
  });
});

describe("an empty write within a read", { skip: runtime !== "node" && "Node only" }, () => {
  it("does not make the engine overwrite the bytes it has just read", async () => {
    await using ends = await openEnds();
    const { wire, notes } = makeWire(ends.near);
    notes.onData = () => ends.near.write("");
    wire.resume();
    ends.far.write(payload(BYTES));
    await until(() => notes.length === BYTES);
    assert.ok(notes.bytes.equals(payload(BYTES)));
  });
});

describe("writing to a secured wire", { skip: runtime !== "node" && "Node only" }, () => {
  it("keeps the order of writes during a write, and counts them", async () => {
    await using ends = await openEnds();
    const { wire, notes } = makeWire(ends.near);
    let sent = 0;
    const next = (size: number): Buffer => payload(size, (sent += size) - size);
    for (let round = 0; round < 5; round += 1) {
      wire.write(next(10), true);
      wire.write(next(700_000), true);
      wire.write([next(65_536), next(4_096), next(5)], true);
      wire.write([next(300_000)], true);
    }
    assert.equal(wire.unsent, sent);
    const received = await receive(ends.far, sent);
    assert.ok(received.subarray(0, BYTES).equals(payload(BYTES)));
    assert.equal(received.length, sent);
    await until(() => wire.unsent === 0);
    assert.ok(notes.calls.includes("written"));
    for (let at = 0; at < sent; at += BYTES) assert.ok(received.subarray(at, at + BYTES).equals(payload(Math.min(BYTES, sent - at), at)));
  });

  it("waits for the program's own writes to the socket of the extra info", async () => {
    await using ends = await openEnds();
    const { wire } = makeWire(ends.near);
    wire.write(payload(BYTES), true);
    let called = 0;
    for (const text of ["one", "two", "", "three"]) ends.near.write(text, () => (called += 1));
    wire.write(Buffer.from("four"), true);
    const received = (await receive(ends.far, BYTES + 15)).subarray(BYTES - 1_000).toString("latin1");
    for (const text of ["one", "two", "three", "four"]) assert.ok(received.includes(text), text);
    await until(() => called === 4);
  });

  it("goes on after a renegotiation", async () => {
    await using ends = await openEnds({ maxVersion: "TLSv1.2" });
    const { wire, notes } = makeWire(ends.near);
    const far = makeWire(ends.far);
    wire.resume();
    far.wire.resume();
    far.wire.write(Buffer.from("before"), true);
    const renegotiated = new Promise((resolve) => ends.far.renegotiate({}, resolve));
    await until(() => notes.length === 6);
    assert.equal(await renegotiated, null);
    wire.write(payload(BYTES), true);
    far.wire.write(payload(BYTES), true);
    await until(() => far.notes.length === BYTES && notes.length === 6 + BYTES);
    assert.ok(far.notes.bytes.equals(payload(BYTES)));
  });

  it("of much in both directions during a renegotiation breaks only the connection (a limit of OpenSSL)", async () => {
    await using ends = await openEnds({ maxVersion: "TLSv1.2" });
    const near = makeWire(ends.near);
    const far = makeWire(ends.far);
    for (const { wire } of [near, far]) {
      wire.resume();
      wire.write(payload(BYTES), true);
    }
    ends.far.renegotiate({}, () => {});
    near.wire.write(payload(BYTES), true);
    for (const { wire, notes } of [near, far]) {
      notes.handleError = () => wire.destroy();
      await until(() => notes.isClosed || notes.length >= BYTES);
    }
  });
});

describe("the end of a secured wire", { skip: runtime !== "node" && "Node only" }, () => {
  it("comes after everything that was written, and ends the peer's side, too", async () => {
    await using ends = await openEnds();
    const { wire, notes } = makeWire(ends.near);
    wire.resume();
    for (let count = 0; count < 5; count += 1) wire.write(payload(BYTES), true);
    wire.close();
    const end = once(ends.far, "end");
    const received = await receive(ends.far, 5 * BYTES);
    await end;
    assert.ok(received.subarray(4 * BYTES).equals(payload(BYTES)));
    await until(() => notes.isClosed);
    assert.deepEqual(
      notes.calls.filter((call) => call !== "written"),
      ["end", "close"],
    );
    assert.equal(wire.errored, null);
  });

  it("follows the peer's by itself, after the bytes written until then", async () => {
    await using ends = await openEnds();
    ends.far.allowHalfOpen = true;
    const { wire, notes } = makeWire(ends.near);
    wire.resume();
    wire.write(payload(BYTES), true);
    wire.write(payload(BYTES), true);
    ends.far.end();
    await until(() => notes.calls.includes("end"));
    const received = await receive(ends.far, 2 * BYTES);
    assert.ok(received.subarray(BYTES).equals(payload(BYTES)));
    await until(() => notes.isClosed);
    assert.equal(notes.calls.includes("error"), false);
  });

  it("may come during a write", async () => {
    await using ends = await openEnds();
    const { wire, notes } = makeWire(ends.near);
    wire.resume();
    for (let count = 0; count < 20; count += 1) wire.write(payload(BYTES), true);
    wire.destroy();
    assert.equal(wire.write(Buffer.from("late"), true), false);
    await until(() => notes.isClosed);
    assert.deepEqual(notes.calls, ["close"]);
  });

  it("is an error if the peer vanishes during a write", async () => {
    await using ends = await openEnds();
    const { wire, notes } = makeWire(ends.near);
    wire.resume();
    for (let count = 0; count < 20; count += 1) wire.write(payload(BYTES), true);
    await turns(5);
    ends.far.destroy();
    await until(() => notes.isClosed);
    assert.ok(notes.calls.includes("error"));
    assert.match(String((wire.errored as { code?: string } | null)?.code), /^(EPIPE|ECONNRESET)$/);
  });
});
