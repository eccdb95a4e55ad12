/**
 * Relays one connection of `tap` and writes its transcript.
 *
 * The end of one side is passed on as a half-close. If a side breaks, the other is reset, after what was received before has been sent for
 * `GRACE_MS` at most. If only writing to a side fails, what it has sent is still passed on, because a server may answer and close before
 * it has read everything.
 */
import type { StreamReader, StreamWriter } from "../index.js";
import type { Pair } from "./connection.js";
import { Failure, reasonOf } from "./failure.js";
import type { Direction, Transcript } from "./transcript.js";

const CHUNK_BYTES = 65_536;
const GRACE_MS = 1_000;

/** Relays until both sides have ended. Rejects only if the transcript cannot be written. */
export async function relayWithTranscript(connection: number, client: Pair, target: Pair, transcript: Transcript): Promise<void> {
  const begun = performance.now();
  const counts: Record<Direction, number> = { in: 0, out: 0 };
  let isBroken = false;
  const onBreak = async (reason: string): Promise<void> => {
    if (!isBroken) await transcript.failed(connection, reason);
    isBroken = true;
  };
  const pass = async (direction: Direction, from: StreamReader, to: StreamWriter): Promise<void> => {
    const [source, sink] = direction === "in" ? ["client", "target"] : ["target", "client"];
    for (;;) {
      const chunk = await attempt(() => from.read(CHUNK_BYTES));
      if (!chunk.ok) {
        await onBreak(`the ${source} has broken off: ${reasonOf(chunk.error)}`);
        await to.flush({ timeout: GRACE_MS }).catch(() => {});
        await reset(to);
        return;
      }
      if (chunk.value.length === 0) break;
      counts[direction] += chunk.value.length;
      await transcript.data(connection, direction, chunk.value);
      const sent = await attempt(async () => {
        to.write(chunk.value);
        await to.drain();
      });
      if (!sent.ok) return await onBreak(`cannot send to the ${sink}: ${reasonOf(sent.error)}`);
    }
    await transcript.ended(connection, direction);
    if (to.isClosing()) return;
    if (to.canWriteEof()) to.writeEof();
    else to.close();
  };
  await Promise.all([pass("in", client[0], target[1]), pass("out", target[0], client[1])]);
  for (const [, writer] of [client, target]) {
    if (isBroken) {
      await writer.flush({ timeout: GRACE_MS }).catch(() => {});
      await reset(writer);
    } else writer.close();
  }
  await Promise.allSettled([client[1].waitClosed(), target[1].waitClosed()]);
  await transcript.closed(connection, performance.now() - begun, counts.in, counts.out);
}

type Attempted<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: unknown };

async function attempt<Value>(action: () => Promise<Value>): Promise<Attempted<Value>> {
  try {
    return { ok: true, value: await action() };
  } catch (error) {
    return { ok: false, error };
  }
}

/** `struct linger` with the time 0: closing a TCP connection resets it. */
const LINGER_ZERO = Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0]);
const SO_LINGER = 13;

/** Cuts a connection. Over TCP the peer gets a reset, if the socket option for it can be set; otherwise an end. */
async function reset(writer: StreamWriter): Promise<void> {
  if (typeof writer.getExtraInfo("peername") === "object" && !writer.isClosing()) {
    try {
      const { setsockopt, SOL_SOCKET } = await import("../unix/index.js");
      setsockopt(writer, SOL_SOCKET, SO_LINGER, LINGER_ZERO);
      /* c8 ignore next 3 -- koffi is not installed, or this is not Linux, or the connection is closed meanwhile */
    } catch {
      // The peer gets an end.
    }
  }
  writer.abort(new Failure("the other side has broken off"));
}
