/** The stream that TLS runs over on Deno, over bare sockets. `test/tls/` runs over it there. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { TlsCarrier } from "#src/transports/tls-carrier.js";
import { type BareServer, bareConnection } from "../support/bare-sockets.js";
import { payload } from "../support/payload.js";
import { turns, until } from "../support/turns.js";

const BYTES = 1_000_000;
const MANY_BYTES = 64 * BYTES;

async function carried(family: "unix" | "tcp"): Promise<AsyncDisposable & { carrier: TlsCarrier; far: net.Socket; socket: net.Socket }> {
  const { far: server, socket }: { far: BareServer; socket: net.Socket } = await bareConnection(family);
  socket.pause();
  const far = await server.accepted();
  const carrier = new TlsCarrier(socket).on("error", () => {}) as TlsCarrier;
  return {
    carrier,
    far,
    socket,
    async [Symbol.asyncDispose]() {
      carrier.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Writes for as long as the system takes it; returns how much that was. */
async function fill(socket: net.Socket): Promise<number> {
  let sent = 0;
  while (sent < MANY_BYTES) {
    socket.write(payload(BYTES));
    sent += BYTES;
    for (let turn = 0; turn < 200 && socket.writableLength > 0; turn += 1) await turns();
    if (socket.writableLength > 0) break;
  }
  return sent;
}

async function collect(from: net.Socket | TlsCarrier): Promise<Buffer> {
  const chunks: Buffer[] = [];
  from.on("data", (chunk: Buffer) => chunks.push(chunk)).resume();
  await once(from, "end");
  return Buffer.concat(chunks);
}

for (const family of ["unix", "tcp"] as const) {
  describe(`TlsCarrier over ${family}`, () => {
    it("carries both ways, and the ends", async () => {
      await using ends = await carried(family);
      const { carrier, far, socket } = ends;
      const received = [collect(carrier), collect(far)] as const;
      for (const to of [far, carrier]) {
        to.write(payload(BYTES));
        to.write(payload(BYTES));
      }
      carrier.end(payload(1_000));
      assert.ok((await received[1]).equals(Buffer.concat([payload(BYTES), payload(BYTES), payload(1_000)])));
      far.end();
      assert.equal((await received[0]).length, 2 * BYTES);
      await until(() => socket.closed && carrier.closed);
    });

    it("ends its own side after the other side", async () => {
      await using ends = await carried(family);
      const received = collect(ends.far.resume());
      ends.far.end();
      ends.carrier.resume();
      assert.equal((await received).length, 0);
      await until(() => ends.carrier.closed);
    });

    it("does not read before its user reads", async () => {
      await using ends = await carried(family);
      assert.ok((await fill(ends.far)) < MANY_BYTES);
    });

    it("stops reading while the secured socket is paused, and loses nothing", async () => {
      await using ends = await carried(family);
      const { carrier, far } = ends;
      const secured = new PassThrough();
      carrier.follow(secured);
      let received = 0;
      carrier.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      secured.pause();
      const sent = await fill(far);
      assert.ok(sent < MANY_BYTES);
      secured.resume();
      await until(() => received === sent);
      secured.destroy();
    });

    it("stays stopped if the secured socket is paused again at once", async () => {
      await using ends = await carried(family);
      const { carrier, far } = ends;
      const secured = new PassThrough();
      carrier.follow(secured);
      carrier.resume();
      secured.pause();
      secured.resume();
      secured.pause();
      await turns(2);
      assert.ok((await fill(far)) < MANY_BYTES);
      secured.destroy();
    });

    it("reports the socket's error", async () => {
      await using ends = await carried(family);
      const reason = new Error("reset");
      ends.socket.destroy(reason);
      await until(() => ends.carrier.closed);
      assert.equal(ends.carrier.errored, reason);
    });

    it("closes the socket with itself", async () => {
      await using ends = await carried(family);
      const ended = once(ends.far.resume(), "end");
      ends.carrier.destroy();
      await ended;
      assert.equal(ends.socket.destroyed, true);
    });
  });
}
