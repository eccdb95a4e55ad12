/** `connectMemory()` and `memoryPair()`: connect two protocols, or two pairs of streams, in memory. */
import { checkBoolean, checkFunction, checkInteger, invalidType } from "../base/arguments.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";
import type { Protocol } from "../contracts/connection.js";
import type { ExtraInfo } from "../contracts/extra-info.js";
import { type ClientConnectedCallback, type ClientErrorHandler, StreamReaderProtocol } from "../streams/protocol.js";
import { StreamReader } from "../streams/reader.js";
import { StreamWriter } from "../streams/writer.js";
import { checkHostile, type Hostile } from "./hostile.js";
import { MemoryLine } from "./memory-line.js";
import { MemoryTransport } from "./memory-transport.js";

/** The default capacity of a line in bytes: about the size of a socket's buffers on a system that keeps them small. */
const DEFAULT_CAPACITY_BYTES = 65_536;

/** Options of `connectMemory()`. */
export interface MemoryOptions {
  /**
   * The number of bytes in transit in each direction, like a socket's kernel buffers. Further data waits in the write buffer. Default
   * 65,536.
   */
  readonly capacity?: number | undefined;
  /** The network faults in both directions, or separately for the data of the first and of the second end. Default: none. */
  readonly hostile?: Hostile | readonly [fromFirst: Hostile, fromSecond: Hostile] | undefined;
  /** Whether the connection supports half-close. Default true; false behaves as over TLS. */
  readonly halfClose?: boolean | undefined;
  /** The extra info of each end, in addition to `peername` and `sockname`. */
  readonly extraInfo?: readonly [ofFirst: Partial<ExtraInfo>, ofSecond: Partial<ExtraInfo>] | undefined;
}

/** Options of `memoryPair()`. */
export interface MemoryPairOptions extends MemoryOptions {
  /** The readers' limit, in bytes. Default 65,536. */
  readonly limit?: number | undefined;
  /** Serves the second end, like a server's callback. Default: none; the test uses both ends. */
  readonly clientConnectedCb?: ClientConnectedCallback | undefined;
  /** Receives what that callback throws. Default: a process warning with the stack. */
  readonly onClientError?: ClientErrorHandler | undefined;
}

const MEMORY_OPTIONS: KnownOptions = knownOptions<MemoryOptions>({ capacity: true, hostile: true, halfClose: true, extraInfo: true });

const MEMORY_PAIR_OPTIONS: KnownOptions = knownOptions<MemoryPairOptions>({
  capacity: true,
  hostile: true,
  halfClose: true,
  extraInfo: true,
  limit: true,
  clientConnectedCb: true,
  onClientError: true,
});

/** One end of a pair of streams in memory. */
export interface MemoryEnd {
  /** The reader of the data that the other end writes. */
  readonly reader: StreamReader;
  /** The writer to the other end. */
  readonly writer: StreamWriter;
  /** The transport of both; its `reset()` breaks the connection. */
  readonly transport: MemoryTransport;
  /** The protocol between the transport and the streams. */
  readonly protocol: StreamReaderProtocol;
}

/**
 * Connects two protocols in memory. `connectionMade()` is called on both before this returns, on `first` first.
 *
 * @param first the protocol at one end
 * @param second the protocol at the other end
 * @param options see `MemoryOptions`
 * @returns the transports of both
 * @throws TypeError or RangeError for a wrong argument
 *
 * @example
 * ```ts
 * import { BaseProtocol } from "asyncio-streams";
 * import { connectMemory } from "asyncio-streams/testing";
 *
 * const [client, server] = connectMemory(new BaseProtocol(), new BaseProtocol(), { capacity: 1_000 });
 * client.write("hello");
 * server.close();
 * ```
 */
export function connectMemory(
  first: Protocol,
  second: Protocol,
  options?: MemoryOptions,
): [first: MemoryTransport, second: MemoryTransport] {
  for (const [name, protocol] of Object.entries({ first, second })) {
    if (typeof protocol !== "object" || protocol === null) throw invalidType(name, "a Protocol", protocol);
  }
  checkKnownOptions("connectMemory", options, MEMORY_OPTIONS);
  return connect("connectMemory", first, second, options);
}

function connect(
  call: string,
  first: Protocol,
  second: Protocol,
  options: MemoryOptions | undefined,
): [first: MemoryTransport, second: MemoryTransport] {
  const capacity = options?.capacity === undefined ? DEFAULT_CAPACITY_BYTES : checkInteger("capacity", options.capacity, 1);
  const halfClose = checkBoolean("halfClose", options?.halfClose) ?? true;
  const [fromFirst, fromSecond] = bothDirections(options?.hostile);
  const there = new MemoryLine(capacity, checkHostile(call, "hostile", fromFirst));
  const back = new MemoryLine(capacity, checkHostile(call, "hostile", fromSecond));
  const extraInfo = options?.extraInfo ?? [{}, {}];
  if (!Array.isArray(extraInfo)) throw invalidType("extraInfo", "an array of two objects", extraInfo);
  const [ofFirst, ofSecond] = extraInfo;
  const transports: [MemoryTransport, MemoryTransport] = [
    new MemoryTransport({
      protocol: first,
      outgoing: there,
      incoming: back,
      halfClose,
      extraInfo: { sockname: "memory:first", peername: "memory:second", ...ofFirst },
    }),
    new MemoryTransport({
      protocol: second,
      outgoing: back,
      incoming: there,
      halfClose,
      extraInfo: { sockname: "memory:second", peername: "memory:first", ...ofSecond },
    }),
  ];
  for (const transport of transports) transport.start();
  return transports;
}

function bothDirections(hostile: MemoryOptions["hostile"]): readonly [Hostile | undefined, Hostile | undefined] {
  return Array.isArray(hostile) ? (hostile as readonly [Hostile, Hostile]) : [hostile as Hostile, hostile as Hostile];
}

/**
 * Makes two connected pairs of streams, without a socket, a port or a file, for fast and deterministic tests.
 *
 * @param options `limit` of the readers; `capacity` of each direction; network faults (`hostile`); `clientConnectedCb`: serves the
 *   second end, as on a server
 * @returns the two ends; the second is the server's if `clientConnectedCb` is given
 * @throws TypeError or RangeError for a wrong argument
 *
 * @example
 * ```ts
 * import { memoryPair } from "asyncio-streams/testing";
 *
 * const [client] = memoryPair({
 *   async clientConnectedCb(reader, writer) {
 *     for await (const line of reader) writer.write(line);
 *   },
 * });
 * client.writer.write("echo\n");
 * console.log((await client.reader.readline()).toString());
 * ```
 */
export function memoryPair(options?: MemoryPairOptions): [client: MemoryEnd, server: MemoryEnd] {
  checkKnownOptions("memoryPair", options, MEMORY_PAIR_OPTIONS);
  const { limit, clientConnectedCb, onClientError } = options ?? {};
  if (clientConnectedCb !== undefined) checkFunction("clientConnectedCb", clientConnectedCb);
  if (onClientError !== undefined) checkFunction("onClientError", onClientError);
  const readers = [new StreamReader({ limit }), new StreamReader({ limit })] as const;
  let served: StreamWriter | null = null;
  const serve: ClientConnectedCallback | undefined =
    clientConnectedCb &&
    ((reader, writer, context) => {
      served = writer;
      return clientConnectedCb(reader, writer, context);
    });
  const protocols = [new StreamReaderProtocol(readers[0]), new StreamReaderProtocol(readers[1], serve, { onClientError })] as const;
  const [first, second] = connect("memoryPair", ...protocols, options);
  return [
    { reader: readers[0], writer: new StreamWriter(first, protocols[0], readers[0]), transport: first, protocol: protocols[0] },
    { reader: readers[1], writer: served ?? new StreamWriter(second, protocols[1], readers[1]), transport: second, protocol: protocols[1] },
  ];
}
