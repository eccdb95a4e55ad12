/** `TlsSending` over an engine that is made up: it can do what Node's does only now and then, or does not do yet. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import type { HandleRequest, StreamHandle, StreamHandles } from "#src/transports/stream-handle.js";
import { TlsSending } from "#src/transports/tls-sending.js";
import { turns, until } from "../support/turns.js";

const EPIPE = -32;

class Request implements HandleRequest {
  oncomplete!: (status: number) => void;
  error?: string;
  asyncId = -1;
  getAsyncId(): number {
    return this.asyncId;
  }
}

/** Takes one write at a time, and ends the test if there is a second. */
class Engine {
  readonly written: string[] = [];
  /** What a write does; the default stays under way until `finish()`. */
  onWrite: (request: Request) => number = () => 0;
  #request: Request | null = null;

  readonly handle = {
    writeBuffer: (request: Request, bytes: Uint8Array) => this.#write(request, [bytes]),
    writev: (request: Request, pieces: readonly Uint8Array[]) => this.#write(request, pieces),
  } as unknown as StreamHandle;
  readonly carrier = { writeQueueSize: 0 };

  #write(request: Request, pieces: readonly Uint8Array[]): number {
    assert.equal(this.#request, null, "a second write, for which Node aborts the process");
    this.written.push(Buffer.concat(pieces).toString());
    request.asyncId = 1;
    this.#request = request;
    const result = this.onWrite(request);
    if (result !== 0 || request.asyncId === -1) this.#request = null;
    return result;
  }

  finish(status: number = 0): void {
    const request = this.#request as Request;
    this.#request = null;
    request.oncomplete(status);
  }
}

class Socket extends Duplex {
  readonly engine: Engine;
  readonly nodes: string[] = [];
  finals = 0;

  constructor(engine: Engine) {
    super();
    this.engine = engine;
    this.on("error", () => {});
  }

  override _write(chunk: Buffer, _encoding: unknown, done: () => void): void {
    this.nodes.push(chunk.toString());
    done();
  }
  override _final(done: () => void): void {
    this.finals += 1;
    done();
  }
}

function make(): { engine: Engine; socket: Socket; sending: TlsSending; sent: () => number } {
  const engine = new Engine();
  const socket = new Socket(engine);
  let sent = 0;
  const parts = { WriteWrap: Request } as unknown as StreamHandles;
  const sending = new TlsSending(socket as unknown as TLSSocket, engine.handle, engine.carrier as StreamHandle, parts, () => (sent += 1));
  return { engine, socket, sending, sent: () => sent };
}

const text = (value: string): Buffer => Buffer.from(value);

describe("TlsSending", () => {
  it("gives the engine one write, and together what is written meanwhile", () => {
    const { engine, sending, sent } = make();
    for (const word of ["one ", "two ", "three "]) sending.write(text(word));
    sending.write([text("four "), text("five")]);
    assert.deepEqual(engine.written, ["one "]);
    assert.equal(sending.unsent, "one two three four five".length);
    engine.finish();
    assert.deepEqual(engine.written, ["one ", "two three four five"]);
    assert.equal(sending.unsent, "two three four five".length);
    engine.finish();
    assert.deepEqual([sending.unsent, sent()], [0, 2]);
  });

  it("gives it no more than 256 KiB at once", () => {
    const { engine, sending } = make();
    sending.write(Buffer.alloc(600_000));
    sending.write(Buffer.alloc(100_000));
    while (sending.unsent > 0) engine.finish();
    assert.deepEqual(
      engine.written.map(({ length }) => length),
      [262_144, 262_144, 175_712],
    );
  });

  it("lets Node write and end when its own is done", async () => {
    const { engine, socket, sending } = make();
    sending.write(text("one"));
    socket.write("node's");
    socket.end();
    sending.write(text("two"));
    await turns(3);
    engine.finish();
    assert.deepEqual([socket.nodes, socket.finals], [[], 0]);
    engine.finish();
    assert.deepEqual(engine.written, ["one", "two"]);
    assert.deepEqual(socket.nodes, ["node's"]);
    await until(() => socket.finals === 1);
  });

  it("ends an idle socket at once", async () => {
    const { socket } = make();
    socket.end();
    await until(() => socket.finals === 1);
  });

  it("goes on where a write is done when the call returns, and tells of it", async () => {
    const { engine, sending, sent } = make();
    engine.onWrite = (request) => {
      request.asyncId = -1;
      return 0;
    };
    sending.write(text("one"));
    sending.write([text("two"), text("three")]);
    assert.equal(sent(), 0); // not from within write()
    await until(() => sent() === 2);
    assert.deepEqual([engine.written, sending.unsent], [["one", "twothree"], 0]);
  });

  for (const [how, fail] of [
    ["by what the call returns", () => EPIPE],
    [
      "from within the call",
      (request: Request): number => {
        request.asyncId = -1;
        request.oncomplete(EPIPE);
        return 0;
      },
    ],
  ] as const) {
    it(`destroys the socket after an error that is told ${how}, and writes nothing more`, async () => {
      const { engine, socket, sending, sent } = make();
      engine.onWrite = fail;
      sending.write(text("one"));
      sending.write(text("two"));
      assert.equal(socket.destroyed, false);
      await until(() => socket.destroyed);
      assert.equal((socket.errored as { code?: string }).code, "EPIPE");
      assert.deepEqual([engine.written, sent()], [["one"], 0]);
    });
  }

  it("destroys the socket after an error that is told later, with what the engine says of it", async () => {
    const { engine, socket, sending } = make();
    engine.onWrite = (request) => {
      request.error = "because";
      return 0;
    };
    sending.write(text("one"));
    engine.finish(EPIPE);
    await until(() => socket.destroyed);
    assert.equal(socket.errored?.message, "write EPIPE because");
  });

  it("gives up a write that is never done, once the peer has ended and the system has nothing to send", async () => {
    for (const written of ["before", "after"] as const) {
      const { engine, socket, sending } = make();
      engine.carrier.writeQueueSize = 1_000;
      if (written === "before") sending.write(text("never done"));
      sending.setPeerEnded();
      if (written === "after") sending.write(text("never done"));
      await turns(50);
      assert.equal(socket.destroyed, false);
      engine.carrier.writeQueueSize = 0;
      await until(() => socket.destroyed);
      assert.equal((socket.errored as { code?: string }).code, "EPIPE");
      sending.stop();
    }
  });

  it("does not give up a write that is done", async () => {
    const { engine, socket, sending } = make();
    sending.write(text("one"));
    sending.setPeerEnded();
    sending.write(text("two"));
    engine.finish();
    engine.finish();
    for (let count = 0; count < 10; count += 1) await new Promise((resolve) => setTimeout(resolve, 25));
    assert.equal(socket.destroyed, false);
    sending.stop();
  });
});
