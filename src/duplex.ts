/**
 * `toDuplex()`: reader and writer as one Duplex of `node:stream`, which is what a program takes that wants a socket.
 *
 * It ends as a `net.Socket` does: EOF of the peer is `'end'`, `end()` is our EOF, and when both have come the connection is closed; `destroy()` cuts it. An error of
 * the connection is an `'error'`, after the data that came before it.
 */
import { Duplex } from "node:stream";
import { type NodeStreamOptions, nodeStreamOptions, readChunk } from "./adapters/readable.js";
import { writingMethods } from "./adapters/writable.js";
import { checkBoolean, invalidType } from "./base/arguments.js";
import { StreamReader } from "./streams/reader.js";
import { StreamWriter } from "./streams/writer.js";

/** Options of `toDuplex()`. */
export interface DuplexOptions extends NodeStreamOptions {
  /** Whether our side stays open when the peer has ended its own. Default false, as with `net.Socket`, which clients are used to. */
  readonly allowHalfOpen?: boolean | undefined;
}

/**
 * A connection as a Duplex, so that clients and servers made for sockets run on these streams.
 *
 * Back-pressure passes both ways: it reads when it is read, and a chunk that is written is done when the system has taken it. `end()` ends our side, and what the peer
 * sends can still be read; over TLS, where a side cannot be ended alone, it closes the connection. Reader and writer belong to the Duplex from now on.
 *
 * @param reader where to read
 * @param writer where to write
 * @param options `allowHalfOpen`: whether our side stays open after the peer's end, default false; `highWaterMark`: bytes buffered each way, default Node's
 * @throws TypeError if `reader` or `writer` is something else
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
  const nodeOptions = nodeStreamOptions(options);
  const stop = new AbortController();
  return new Duplex({
    ...nodeOptions,
    allowHalfOpen: checkBoolean("allowHalfOpen", options?.allowHalfOpen) ?? false,
    read() {
      readChunk(reader, this, stop.signal);
    },
    ...writingMethods(writer),
    destroy(error, done) {
      stop.abort();
      if (error === null && this.readableEnded && this.writableFinished) writer.close();
      else writer.abort(error ?? undefined);
      // The error of the connection is this one, or has been told.
      const onClosed = (): void => done(error);
      writer.waitClosed().then(onClosed, onClosed);
    },
  });
}
