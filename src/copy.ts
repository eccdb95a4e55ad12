/**
 * `copy()` and `relay()`: the bytes of one stream to another, in one direction and in both.
 *
 * Each chunk is written as it was received, without a copy. `drain()` passes the backpressure of the receiver on to the sender.
 */
import { checkFunction, invalidType, type SignalOptions } from "./base/arguments.js";
import { asError, callForeign, ignore, warnOf } from "./base/errors.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "./base/known-options.js";
import { CHUNK_BYTES } from "./base/limits.js";
import { abortReason, cancellationOf, forgetAborted, onceAborted, withOneDeadline } from "./base/waiting.js";
import { passedAttempt } from "./streams/attempts.js";
import { engineOf } from "./streams/base-reader.js";
import { StreamReader } from "./streams/reader.js";
import { StreamWriter } from "./streams/writer.js";

/** Options of `copy()`. */
export interface CopyOptions extends SignalOptions {
  /**
   * Called after each chunk with the number of bytes copied so far. An exception ends the copying and is its error. A promise that it
   * returns is not waited for, and its rejection counts as an exception.
   */
  readonly onProgress?: ((copied: number) => void) | undefined;
}

/** Options of `relay()`. */
export interface RelayOptions extends SignalOptions {
  /**
   * Called after each chunk with the numbers of bytes relayed so far, from the first pair to the second and back. An exception, or the
   * rejection of a promise that it returns, ends the relaying and is its error.
   */
  readonly onProgress?: ((forth: number, back: number) => void) | undefined;
}

const COPY_OPTIONS: KnownOptions = knownOptions<CopyOptions>({ signal: true, timeout: true, onProgress: true });
const RELAY_OPTIONS: KnownOptions = knownOptions<RelayOptions>({ signal: true, timeout: true, onProgress: true });

/** How long sending may take, in milliseconds, of what was received before a connection broke. */
const GRACE_MS = 1_000;

/**
 * Copies everything from a reader to a writer, until EOF. Not in asyncio. The writer stays open: end it with `writeEof()` or `close()`.
 *
 * The loss of the writer's connection is noticed with the next chunk. `relay()` notices it at once.
 *
 * **If aborted**, nothing is lost: what was read has been written, the rest stays in the reader. Likewise if the writer refuses to write.
 *
 * @param reader what to read from
 * @param writer what to write to
 * @param options `signal` and `timeout` end the call; `onProgress` is called after each chunk
 * @returns the number of bytes copied
 * @throws TypeError if `reader` is not a `StreamReader`, `writer` not a `StreamWriter`, or an option is wrong
 * @throws ConnectionLostError if the writer's connection is lost, with the socket's error as `cause`
 * @throws the error that ended the reader's connection, after the data received before it has been written
 *
 * @example
 * ```ts
 * const [reader, writer] = await openUnixConnection("/run/backup.sock");
 * const size = await copy(StreamReader.from(process.stdin), writer, { onProgress: (bytes) => console.error(bytes) });
 * writer.writeEof();
 * ```
 */
export async function copy(reader: StreamReader, writer: StreamWriter, options?: CopyOptions): Promise<number> {
  checkPair("reader", "writer", reader, writer);
  checkKnownOptions("copy", options, COPY_OPTIONS);
  const onProgress = options?.onProgress;
  if (onProgress !== undefined) checkFunction("onProgress", onProgress);
  let copied = 0;
  await withOneDeadline(cancellationOf(options), (signal) =>
    withReports(onProgress, signal, async (ownSignal, report) => {
      await pass(reader, writer, ownSignal, (bytes) => {
        copied += bytes;
        report(copied);
      });
    }),
  );
  return copied;
}

/**
 * Runs a call that reports its progress to a function of the program. The first failure of that function, by an exception or by the
 * rejection of its promise, ends the waits of the call, and is its error. A rejection after the call has ended becomes a process warning.
 */
async function withReports<Counts extends readonly number[]>(
  onProgress: ((...counts: Counts) => unknown) | undefined,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal | undefined, report: (...counts: Counts) => void) => Promise<void>,
): Promise<void> {
  if (onProgress === undefined) {
    await run(signal, ignore);
    return;
  }
  const controller = new AbortController();
  let reason: unknown;
  let failure: { readonly thrown: unknown } | null = null;
  let hasEnded = false;
  const onAbort = (): void => {
    reason = abortReason(signal);
    controller.abort(reason);
  };
  const onFailure = (thrown: unknown): void => {
    if (hasEnded) warnOf(thrown);
    failure ??= { thrown };
    controller.abort(thrown);
  };
  const throwFailure = (): void => {
    if (failure !== null) throw failure.thrown;
  };
  onceAborted(signal, onAbort);
  try {
    await run(controller.signal, (...counts) => {
      callForeign(() => onProgress(...counts), onFailure);
      throwFailure();
    });
    throwFailure();
  } catch (error) {
    throwFailure();
    throw signal?.aborted === true && error === controller.signal.reason ? reason : error; // a polyfill may accept no reason
  } finally {
    hasEnded = true;
    forgetAborted(signal, onAbort);
  }
}

/** Reads what has come. A reader of the program's own class is read by its own method. */
function readToPass(reader: StreamReader, options: SignalOptions | undefined): Promise<Buffer> {
  if (reader.read !== StreamReader.prototype.read) return reader.read(CHUNK_BYTES, options);
  const engine = engineOf(reader);
  return engine.perform("read", passedAttempt(engine), options);
}

async function pass(
  reader: StreamReader,
  writer: StreamWriter,
  signal: AbortSignal | undefined,
  onChunk: (bytes: number) => void,
): Promise<void> {
  const options = signal === undefined ? undefined : { signal };
  for (;;) {
    const chunk = await readToPass(reader, options);
    if (chunk.length === 0) return;
    try {
      writer.write(chunk);
    } catch (error) {
      reader.unread(chunk);
      throw error;
    }
    onChunk(chunk.length);
    await writer.drain(options);
  }
}

/**
 * Joins two connections: what is received from one is sent to the other, both ways, until both have ended. Not in asyncio. For proxies.
 *
 * The EOF of one side is passed on to the other, so half-closed connections work. TLS has no half-close: there, the EOF of one side closes
 * the other. Backpressure is passed on in both directions. The call owns both connections, and has closed them when it settles. If one of
 * them breaks, what was received before is still sent, for a second at most, and then both are aborted.
 *
 * **If aborted**, both connections are aborted.
 *
 * @param first one connection
 * @param second the other connection
 * @param options `signal` and `timeout` end the call; `onProgress` is called after each chunk
 * @returns the numbers of bytes relayed, from the first connection to the second and back
 * @throws TypeError if an argument is not a pair of streams, or an option is wrong
 * @throws the error of the connection that broke
 *
 * @example
 * ```ts
 * await startServer(async (reader, writer) => {
 *   await relay([reader, writer], await openUnixConnection("/run/app.sock"));
 * }, "127.0.0.1", 8080);
 * ```
 */
export async function relay(
  first: readonly [StreamReader, StreamWriter],
  second: readonly [StreamReader, StreamWriter],
  options?: RelayOptions,
): Promise<[forth: number, back: number]> {
  for (const [name, pair] of [
    ["first", first],
    ["second", second],
  ] as const) {
    if (!Array.isArray(pair)) throw invalidType(name, "a pair of a StreamReader and a StreamWriter", pair);
    checkPair(`${name}[0]`, `${name}[1]`, pair[0], pair[1]);
  }
  checkKnownOptions("relay", options, RELAY_OPTIONS);
  const onProgress = options?.onProgress;
  if (onProgress !== undefined) checkFunction("onProgress", onProgress);
  const relayed: [number, number] = [0, 0];
  const [[firstReader, firstWriter], [secondReader, secondWriter]] = [first, second];
  const [readers, writers] = [
    [firstReader, secondReader],
    [firstWriter, secondWriter],
  ];
  /** Ends both connections, and every read of them. A reader that is not of a connection does not notice the end of a writer. */
  const abortBoth = async (thrown: unknown): Promise<void> => {
    for (const writer of writers) writer.abort(asError(thrown, "relay() was ended with"));
    await Promise.all(readers.map((reader) => reader.cancel()));
  };
  const run = async (signal: AbortSignal | undefined, report: (forth: number, back: number) => void): Promise<void> => {
    const direction = (index: 0 | 1, reader: StreamReader, writer: StreamWriter): Promise<void> =>
      passToEnd(reader, writer, signal, (bytes) => {
        relayed[index] += bytes;
        report(...relayed);
      });
    const both = [direction(0, firstReader, secondWriter), direction(1, secondReader, firstWriter)];
    try {
      await Promise.all(both);
    } catch (error) {
      if (signal?.aborted !== true) await Promise.allSettled(writers.map((writer) => writer.flush({ timeout: GRACE_MS })));
      await abortBoth(error);
      await Promise.allSettled(both);
      throw error;
    }
    for (const writer of writers) writer.close();
    await Promise.all(writers.map((writer) => writer.waitClosed({ signal })));
  };
  try {
    await withOneDeadline(cancellationOf(options), (signal) => withReports(onProgress, signal, run));
  } catch (error) {
    await abortBoth(error);
    throw error;
  }
  return relayed;
}

/** Passes everything on, then EOF. */
async function passToEnd(
  reader: StreamReader,
  writer: StreamWriter,
  signal: AbortSignal | undefined,
  onChunk: (bytes: number) => void,
): Promise<void> {
  await pass(reader, writer, signal, onChunk);
  if (writer.isClosing()) return;
  if (writer.canWriteEof()) writer.writeEof();
  else writer.close();
}

function checkPair(readerName: string, writerName: string, reader: unknown, writer: unknown): void {
  if (!(reader instanceof StreamReader)) throw invalidType(readerName, "a StreamReader", reader);
  if (!(writer instanceof StreamWriter)) throw invalidType(writerName, "a StreamWriter", writer);
}
