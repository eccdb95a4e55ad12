/**
 * `toDuplex()`: combines reader and writer into one Duplex of `node:stream`, for code that expects a socket.
 *
 * It ends like a `net.Socket`. The peer's EOF emits `'end'`, `end()` sends EOF, and the connection is closed after both. `destroy()`
 * aborts it. An error of the connection emits `'error'`, after the data received before it.
 */
import { Duplex } from "node:stream";
import { type NodeStreamOptions, nodeStreamOptions, readChunk, writingMethods } from "./adapters/node-streams.js";
import { checkBoolean, invalidType } from "./base/arguments.js";
import { type KnownOptions, knownOptions } from "./base/known-options.js";
import { engineOf } from "./streams/base-reader.js";
import { StreamReader } from "./streams/reader.js";
import { Taker } from "./streams/taker.js";
import { StreamWriter } from "./streams/writer.js";

/** Options of `toDuplex()`. */
export interface DuplexOptions extends NodeStreamOptions {
  /** Whether the writing side stays open after the peer's EOF. Default false, as with `net.Socket`. */
  readonly allowHalfOpen?: boolean | undefined;
}

const DUPLEX_OPTIONS: KnownOptions = knownOptions<DuplexOptions>({ highWaterMark: true, allowHalfOpen: true });

/**
 * Returns a connection as a Duplex, so that clients and servers written for sockets can use it.
 *
 * Backpressure works in both directions: the Duplex reads on demand, and a written chunk completes when the system has accepted it.
 * `end()` ends the writing side, and data from the peer can still be read; over TLS, which has no half-close, `end()` closes the
 * connection. The Duplex owns reader and writer from now on.
 *
 * @param reader the reader of the connection
 * @param writer the writer of the connection
 * @param options `allowHalfOpen`: whether the writing side stays open after the peer's EOF, default false; `highWaterMark`: bytes to
 *   buffer in each direction, default Node's
 * @throws TypeError if `reader` is not a `StreamReader` or `writer` not a `StreamWriter`
 *
 * @example
 * ```ts
 * const [reader, writer] = await openUnixConnection("/var/run/docker.sock");
 * http.get({ path: "/version", createConnection: () => toDuplex(reader, writer) }, onResponse);
 * ```
 */
export function toDuplex(reader: StreamReader, writer: StreamWriter, options?: DuplexOptions): Duplex {
  if (!(reader instanceof StreamReader)) throw invalidType("reader", "a StreamReader", reader);
  if (!(writer instanceof StreamWriter)) throw invalidType("writer", "a StreamWriter", writer);
  const nodeOptions = nodeStreamOptions("toDuplex", options, DUPLEX_OPTIONS);
  const taker = new Taker(engineOf(reader), "toDuplex");
  return new Duplex({
    ...nodeOptions,
    allowHalfOpen: checkBoolean("allowHalfOpen", options?.allowHalfOpen) ?? false,
    read() {
      readChunk(taker, this);
    },
    ...writingMethods(writer),
    destroy(error, done) {
      taker.release();
      if (error === null && this.readableEnded && this.writableFinished) writer.close();
      else writer.abort(error ?? undefined);
      // The error of the connection is `error`, or has already been reported.
      const onClosed = (): void => done(error);
      writer.waitClosed().then(onClosed, onClosed);
    },
  });
}
