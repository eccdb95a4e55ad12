/** The connection is cut after so many bytes of the handshake, all through its flights: nobody hangs, and the server tells of it once or serves. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { identity } from "../support/certificates.js";
import { kinds } from "../support/pairs.js";
import { Relay, type Stop } from "../support/relay.js";
import { checkEcho, connectTo, type Listening, listen } from "../support/tls-kinds.js";
import { until } from "../support/turns.js";

/** Parts of a direction's bytes after which it is cut, beside the ends of its flights: at its own ends, and inside the records. */
const PARTS = [0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.97, 1];

for (const kind of kinds) {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const ssl = { ...identity("server"), maxVersion: version };

    describe(`a handshake over ${kind.name}, ${version}`, () => {
      for (const direction of ["toServer", "toClient"] as const) {
        for (const stop of ["end", "reset"] as const satisfies readonly Stop[]) {
          it(`may be cut ${direction === "toServer" ? "on the way to the server" : "on the way to the client"} anywhere, by ${stop}`, async () => {
            await using ours = await listen(kind, { ssl });
            const flightEnds = await findFlightEnds(ours, direction);
            const whole = flightEnds.at(-1) as number;
            const cuts = [...PARTS.map((part) => Math.max(1, Math.ceil(part * whole))), ...flightEnds.slice(0, -1)];
            for (const after of cuts) {
              ours.errors.length = 0;
              ours.served.length = 0;
              await using relay = await Relay.to(ours.address, { [direction]: { after, stop } });
              try {
                await checkEcho(await connectTo(relay.address, { sslHandshakeTimeout: 5_000, sslShutdownTimeout: 5_000 }));
                assert.fail(`nobody was told that the connection was cut after ${after} bytes of ${whole}`);
              } catch (error) {
                assert.ok(error instanceof Error && (error as { code?: unknown }).code !== "ETIMEDOUT", String(error));
              }
              // Errors with a writer may be the last round's.
              const refused = (): number => ours.errors.filter(({ writer }) => writer === null).length;
              await until(() => refused() + ours.served.length > 0);
              assert.equal(refused(), 1 - ours.served.length);
            }
            await until(() => ours.served.every(({ writer }) => writer.isClosing()));
            await checkEcho(await ours.connect());
          });
        }
      }
    });
  }
}

/** After how many bytes in this direction each flight of a good handshake ends, with the request of the echo behind it left out. */
async function findFlightEnds(ours: Listening, direction: "toServer" | "toClient"): Promise<readonly number[]> {
  await using relay = await Relay.to(ours.address);
  const streams = await connectTo(relay.address);
  // In TLS 1.3 a client is done before the server has its last flight.
  await until(() => ours.served.length > 0);
  const ends = [...relay.link[direction].packetEnds];
  await checkEcho(streams);
  return ends;
}
