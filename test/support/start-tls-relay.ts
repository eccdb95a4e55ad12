/** A server that changes over to TLS after a command, behind a relay through which a test decides which bytes arrive together. */
import assert from "node:assert/strict";
import type { StreamReader, StreamWriter } from "asyncio-streams";
import { identity, trust } from "./certificates.js";
import type { Kind } from "./pairs.js";
import { Relay } from "./relay.js";
import { checkEcho, HOST } from "./tls-kinds.js";
import { turns } from "./turns.js";

/** What a client sends before its handshake. */
export const COMMAND = "STARTTLS\n";

/** What a test does while the server changes over. */
interface Moments {
  /** The server has read the command. */
  readonly onCommand?: (relay: Relay) => void;
  /** The server's `startTls()` is in progress. */
  readonly duringHandshake?: (relay: Relay) => void;
}

/** Serves one line of each client over TLS, after `COMMAND`. */
export async function startTlsBehindRelay(
  kind: Kind,
  { onCommand, duringHandshake }: Moments,
): Promise<AsyncDisposable & { relay: Relay }> {
  const { server } = await kind.serve(async (reader, writer) => {
    assert.equal((await reader.readline()).toString(), COMMAND);
    onCommand?.(relay);
    const upgraded = writer.startTls(identity("server"));
    await turns(3);
    duringHandshake?.(relay);
    await upgraded;
    writer.write(await reader.readline());
    writer.close();
  });
  const relay = await Relay.to(server.sockets[0]!.getsockname());
  return {
    relay,
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      server.close();
      await server.waitClosed();
    },
  };
}

/** Changes a client over, and asserts that a line comes back over TLS. */
export async function secureAndCheck([reader, writer]: readonly [StreamReader, StreamWriter]): Promise<void> {
  writer.write(COMMAND);
  await writer.startTls(trust, HOST);
  await checkEcho([reader, writer]);
}
