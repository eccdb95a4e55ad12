/** The documented wire over a socket that TLS has secured: what it is on Bun and Deno, and on Node where the engine is not to be had. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import tls from "node:tls";
import { NodeWire } from "#src/transports/node-wire.js";
import type { WireEvents } from "#src/transports/wire.js";
import { identity, trust } from "../support/certificates.js";
import { socketPath } from "../support/temporary.js";
import { until } from "../support/turns.js";

/** What a wire tells, by name. */
function noteEvents(wire: NodeWire): string[] {
  const calls: string[] = [];
  const note = (name: string) => (): void => void calls.push(name);
  const events: WireEvents = {
    handleData: note("data"),
    nextMemory: () => null,
    handleEnd: note("end"),
    handleWriteError: note("write error"),
    handleError: note("error"),
    handleClose: note("close"),
    handleWritten: note("written"),
  };
  wire.listen(events);
  return calls;
}

async function openEnds(): Promise<{ near: tls.TLSSocket; far: tls.TLSSocket; server: tls.Server }> {
  const server = tls.createServer(identity("server"));
  const path = socketPath();
  server.listen(path);
  await once(server, "listening");
  const far = tls.connect({ path, ...trust, servername: "localhost" });
  const [[near]] = (await Promise.all([once(server, "secureConnection"), once(far, "secureConnect")])) as unknown as [[tls.TLSSocket]];
  return { near, far, server };
}

describe("NodeWire over TLS", () => {
  it("ends our side with close(), and closes with the peer's end", async () => {
    const { near, far, server } = await openEnds();
    const wire = new NodeWire(near);
    const calls = noteEvents(wire);
    far.on("end", () => far.end()).resume();
    wire.close();
    await until(() => calls.includes("close"));
    assert.deepEqual([wire.destroyed, wire.errored, calls.includes("error")], [true, null, false]);
    far.destroy();
    server.close();
  });

  it("keeps the error that broke it", async () => {
    const { near, far, server } = await openEnds();
    const wire = new NodeWire(near);
    const calls = noteEvents(wire);
    const error = new Error("on purpose");
    near.destroy(error);
    await until(() => calls.includes("close"));
    assert.deepEqual([calls, wire.errored === error], [["error", "close"], true]);
    far.destroy();
    server.close();
  });
});
