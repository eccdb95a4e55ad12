/**
 * `secureStreams()`: changes the connection of streams over to TLS. `StreamWriter.startTls()` and `startTls()` of a protocol both call it,
 * so that no way to TLS can forget the unread plaintext of a reader. See `securing.ts` for the rules.
 *
 * The readers concerned are those of the protocols involved, however the writer was made, and the reader that the writer was given.
 */
import type { SignalOptions } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { debugMode } from "../base/debug-mode.js";
import { type KnownOptions, knownOptions } from "../base/known-options.js";
import { ownCopy } from "../base/memory.js";
import { type Cancellation, withOneDeadline } from "../base/waiting.js";
import type { Protocol, StartTlsRequest, Transport } from "../contracts/connection.js";
import type { TlsTimeouts } from "../contracts/extra-info.js";
import { FlowControl, flowOf } from "./flow-control.js";
import type { ReadEngine } from "./read-engine.js";
import { moveWatch } from "./watched-pair.js";
import type { WriterFlow } from "./writer-flow.js";

/** Options of `StreamWriter.startTls()`. */
export interface StartTlsOptions extends TlsTimeouts, SignalOptions {
  /**
   * The name that a client expects in the server's certificate. Default: the host it is connected to, `"localhost"` for a Unix socket.
   * `""` accepts any name.
   */
  readonly serverHostname?: string | undefined;
}

/** The names of the options of `StreamWriter.startTls()`. */
export const START_TLS_OPTIONS: KnownOptions = knownOptions<StartTlsOptions>({
  serverHostname: true,
  sslHandshakeTimeout: true,
  sslShutdownTimeout: true,
  signal: true,
  timeout: true,
});

/** What `startTls()` needs besides the readers. */
export interface StreamsRequest extends Omit<StartTlsRequest, "takeReadAhead" | "signal"> {
  /** What the program has already taken of the peer's handshake. */
  readonly readAhead?: Uint8Array | undefined;
}

/** The halves of a writer's connection. */
export interface StreamsOfWriter {
  readonly flow: WriterFlow;
  /** The reader that the writer was given. */
  readonly reader: ReadEngine | null;
}

/**
 * Performs the handshake. Reads of the readers wait meanwhile, and their unread bytes go to the handshake.
 *
 * @param receiver the protocol that receives the events of the connection
 * @param end ends the operation, and the connection
 * @param streams the streams of the writer whose method was called. Its protocol need not be the receiver.
 * @returns the new transport
 * @throws InvalidStateError if one of the readers may hold plaintext that cannot be taken back. The connection is unchanged.
 */
export async function secureStreams(
  transport: Transport,
  receiver: Protocol,
  request: StreamsRequest,
  end: Cancellation | undefined,
  streams?: StreamsOfWriter,
): Promise<Transport> {
  const flows: WriterFlow[] = [];
  if (receiver instanceof FlowControl) flows.push(flowOf(receiver));
  if (streams !== undefined) addOnce(flows, streams.flow);
  const readers: ReadEngine[] = [];
  for (const { engine } of flows) if (engine !== null) addOnce(readers, engine);
  if (streams?.reader) addOnce(readers, streams.reader);

  const begun: ReadEngine[] = [];
  const endSecuring = (): void => {
    for (const engine of begun) engine.endSecuring();
  };
  const takeReadAhead = (): NonSharedBuffer => {
    const bytes = request.readAhead === undefined ? [] : [ownCopy(request.readAhead)];
    for (const { securing, queue } of readers) bytes.push(securing.handOver(queue));
    return bytes.length === 1 ? (bytes[0] as NonSharedBuffer) : ownCopy(Buffer.concat(bytes));
  };
  const onSecured = (successor: Transport): void => {
    request.onSecured(successor);
    for (const flow of flows) {
      if (debugMode !== null) moveWatch(flow, successor);
      flow.replaceTransport(successor);
    }
    endSecuring();
  };
  try {
    for (const engine of readers) if (engine.beginSecuring()) begun.push(engine);
    const { role, ssl, serverHostname, sslHandshakeTimeout, sslShutdownTimeout, protocol } = request;
    return await withOneDeadline(end, (signal) =>
      (transport as Required<Transport>).startTls({
        role,
        ssl,
        serverHostname,
        sslHandshakeTimeout,
        sslShutdownTimeout,
        takeReadAhead,
        onSecured,
        protocol,
        signal,
      }),
    );
  } finally {
    endSecuring();
  }
}

function addOnce<T>(list: T[], item: T): void {
  if (!list.includes(item)) list.push(item);
}
