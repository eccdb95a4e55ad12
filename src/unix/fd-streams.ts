/** `FdStreamReader` and `FdStreamWriter`: a stream pair over a Unix socket that carries descriptors beside bytes. */
import { checkInteger, type Data, invalidType, invalidValue, MAX_INT, outOfRange, type SignalOptions, toBytes } from "../base/arguments.js";
import type { NonSharedBuffer } from "../base/bytes.js";
import { checkWaitOptions, throwIfAborted } from "../base/waiting.js";
import type { Transport } from "../contracts/connection.js";
import { engineOf } from "../streams/base-reader.js";
import {
  type ClientConnectedCallback,
  type ClientContext,
  StreamReaderProtocol,
  type StreamReaderProtocolOptions,
} from "../streams/protocol.js";
import { StreamReader } from "../streams/reader.js";
import { StreamWriter } from "../streams/writer.js";
import type { Descriptor } from "./descriptor.js";
import type { DescriptorProtocol, DescriptorTransport } from "./descriptor-transport.js";
import { DescriptorLimitError, errnoError } from "./errors.js";
import { ReceivedDescriptors } from "./received-descriptors.js";
import { MAX_FDS, type System } from "./system.js";

/** The default of `fdLimit`. A message brings up to 253, and a process may often open only 1,024 in all. */
export const DEFAULT_FD_LIMIT = 512;

/** Returns the descriptors that a reader has received. */
let receivedOf: (reader: FdStreamReader) => ReceivedDescriptors;

/**
 * Reads the bytes and the descriptors of a connection. `openFdConnection()` and `startFdServer()` return one.
 *
 * A descriptor can be taken no later than the first byte that it was sent with can be read. Descriptors are in the order in which they were
 * sent. They have no exact place among the bytes: a protocol has to say how many belong to a message.
 *
 * @example
 * ```ts
 * const line = await receiver.readline();
 * const [file] = receiver.takeFds(1);
 * ```
 */
export class FdStreamReader extends StreamReader {
  static {
    receivedOf = (reader) => reader.#received;
  }

  readonly #received: ReceivedDescriptors;

  /** @internal */
  constructor(system: System, limit: number) {
    super({ limit });
    this.#received = new ReceivedDescriptors(system);
  }

  /** The number of descriptors that have arrived and have not been taken. */
  get bufferedFds(): number {
    return this.#received.count;
  }

  /**
   * Takes descriptors that have arrived, without waiting. They belong to the caller, who has to close them.
   *
   * @param maxFds the maximum number; default: all
   * @returns the descriptors in the order in which they were sent; empty if none has arrived
   * @throws RangeError `ERR_OUT_OF_RANGE` if `maxFds` is not an integer of at least 0
   */
  takeFds(maxFds: number = this.#received.count): Descriptor[] {
    return this.#received.take(checkInteger("maxFds", maxFds, 0));
  }

  /**
   * Reads up to `maxBytes` bytes, as soon as any are available, and takes the descriptors that have arrived. anyio's `receive_fds()`.
   *
   * **If aborted**, nothing is consumed.
   *
   * @param maxBytes the maximum number of bytes, at least 1
   * @param maxFds the maximum number of descriptors; default: all that have arrived
   * @param options `signal` and `timeout` end the wait
   * @returns the bytes, which are empty at EOF, and the descriptors
   * @throws RangeError `ERR_OUT_OF_RANGE` for a number out of range
   * @throws ConcurrentReadError if another read is waiting
   * @throws the error that ended the connection, after the data received before it
   *
   * @example
   * ```ts
   * const [data, descriptors] = await receiver.receiveFds(65_536);
   * ```
   */
  async receiveFds(
    maxBytes: number,
    maxFds?: number,
    options?: SignalOptions,
  ): Promise<[data: NonSharedBuffer, descriptors: Descriptor[]]> {
    checkInteger("maxBytes", maxBytes, 1);
    if (maxFds !== undefined) checkInteger("maxFds", maxFds, 0);
    const data = await this.read(maxBytes, options);
    return [data, this.takeFds(maxFds)];
  }
}

/** An object with a descriptor, such as a `Descriptor`, or the `FileHandle` of `node:fs/promises`. */
export interface HasFd {
  /** The number of the descriptor. */
  readonly fd: number;
}

/**
 * Writes bytes and descriptors, and closes the connection. `openFdConnection()` and `startFdServer()` return one.
 *
 * @example
 * ```ts
 * const file = openSync("/etc/hostname", "r");
 * await sender.sendFds("here it is\n", [file]);
 * closeSync(file);
 * ```
 */
export class FdStreamWriter extends StreamWriter {
  readonly #system: System;

  /** @internal */
  constructor(system: System, transport: DescriptorTransport, protocol: FdStreamProtocol, reader: FdStreamReader) {
    super(transport, protocol, reader);
    this.#system = system;
  }

  /**
   * Sends bytes with descriptors, behind all that was written before, and waits until the system has taken them. anyio's `send_fds()`.
   *
   * The descriptors are duplicated before the call returns its promise. The caller keeps its own, and may close them at once.
   *
   * **If aborted**, only the wait ends: bytes and descriptors are still sent.
   *
   * @param data at least one byte, because Linux sends no descriptors without
   * @param fds 1 to 253 descriptors
   * @param options `signal` and `timeout` end the wait
   * @throws TypeError or RangeError for a wrong argument; the system's `EBADF` if a descriptor is not open, and `EMFILE` if this process
   *   may open no more. Nothing is sent then.
   * @throws InvalidStateError after `writeEof()`; ConnectionLostError if the connection is lost
   *
   * @example
   * ```ts
   * await sender.sendFds(JSON.stringify({ type: "log", count: 1 }) + "\n", [file]);
   * ```
   */
  async sendFds(data: Data, fds: Iterable<number | HasFd>, options?: SignalOptions): Promise<void> {
    checkWaitOptions("sendFds", options);
    throwIfAborted(options?.signal);
    const bytes = toBytes("data", data);
    if (bytes.length === 0) throw invalidValue("data must have at least one byte: Linux sends no descriptors without");
    const numbers = checkFds(fds);
    const copies = duplicateAll(this.#system, numbers);
    (this.transport as DescriptorTransport).sendDescriptors(copies, () => this.write(bytes));
    await this.flush(options);
  }
}

/** Checks descriptors to send, and returns their numbers. */
export function checkFds(fds: unknown): number[] {
  if (typeof (fds as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] !== "function" || typeof fds === "string")
    throw invalidType("fds", "an iterable of descriptors", fds);
  const numbers = [...(fds as Iterable<number | HasFd>)].map((one, index) => checkFd(`fds[${index}]`, one));
  if (numbers.length === 0 || numbers.length > MAX_FDS) throw outOfRange("the number of fds", `from 1 to ${MAX_FDS}`, numbers.length);
  return numbers;
}

function checkFd(name: string, value: unknown): number {
  const fd: unknown = typeof value === "object" && value !== null ? (value as Partial<HasFd>).fd : value;
  if (typeof fd !== "number") throw invalidType(name, "a descriptor, or an object with one", value);
  return checkInteger(name, fd, 0, MAX_INT);
}

/** Duplicates descriptors; if one cannot be duplicated, none is. */
function duplicateAll(system: System, fds: readonly number[]): number[] {
  const copies: number[] = [];
  for (const fd of fds) {
    const copy = system.duplicate(fd);
    if (copy < 0) {
      for (const one of copies) system.close(one);
      throw errnoError(copy, "dup", `of descriptor ${fd}`);
    }
    copies.push(copy);
  }
  return copies;
}

/** Called with the stream pair of a new client. */
export type FdClientConnectedCallback = (reader: FdStreamReader, writer: FdStreamWriter, context: ClientContext) => void | Promise<void>;

/** The protocol behind a pair that carries descriptors. */
export class FdStreamProtocol extends StreamReaderProtocol implements DescriptorProtocol {
  readonly #reader: FdStreamReader;
  readonly #fdLimit: number;

  constructor(reader: FdStreamReader, fdLimit: number, clientConnectedCb?: ClientConnectedCallback, options?: StreamReaderProtocolOptions) {
    super(reader, clientConnectedCb, options);
    this.#reader = reader;
    this.#fdLimit = fdLimit;
  }

  descriptorsReceived(fds: readonly number[], isCut: boolean, hasBytes: boolean): void {
    const received = receivedOf(this.#reader);
    received.push(fds);
    const { count } = received;
    if (isCut || count > this.#fdLimit) {
      received.close();
      if (isCut) throw descriptorsLost();
      throw new DescriptorLimitError(`the peer has sent ${count} descriptors that were not taken: the limit is ${this.#fdLimit}`);
    }
    // More may come only with bytes that the program reads. Another protocol pauses the transport itself.
    if (hasBytes && count > this.#fdLimit / 2) engineOf(this.#reader).holdBack();
  }

  /** The number of descriptors that have arrived and have not been taken. */
  get bufferedFds(): number {
    return this.#reader.bufferedFds;
  }

  descriptorsClosed(): void {
    receivedOf(this.#reader).close();
  }
}

/** Creates the error for descriptors that the kernel has dropped. */
function descriptorsLost(): Error {
  const message = "EMFILE: the kernel has dropped descriptors that the peer has sent, because this process may open no more, recvmsg";
  return Object.assign(new Error(message), { code: "EMFILE", syscall: "recvmsg" });
}

/** Makes the streams of connections. */
export class FdStreams {
  readonly #system: System;
  readonly #limit: number;
  readonly #fdLimit: number;

  constructor(system: System, limit: number, fdLimit: number) {
    this.#system = system;
    this.#limit = limit;
    this.#fdLimit = fdLimit;
  }

  /** Makes the reader and the protocol of an opened connection. */
  open(): [FdStreamReader, FdStreamProtocol] {
    const reader = new FdStreamReader(this.#system, this.#limit);
    return [reader, new FdStreamProtocol(reader, this.#fdLimit)];
  }

  /** Makes the writer of a connection. */
  writer(transport: Transport, protocol: FdStreamProtocol, reader: FdStreamReader): FdStreamWriter {
    return new FdStreamWriter(this.#system, transport as DescriptorTransport, protocol, reader);
  }

  /** Makes the protocol of an accepted client. */
  accept(callback: FdClientConnectedCallback, options: StreamReaderProtocolOptions): FdStreamProtocol {
    const reader = new FdStreamReader(this.#system, this.#limit);
    const onConnected: ClientConnectedCallback = (_reader, { transport }, context) =>
      callback(reader, this.writer(transport, protocol, reader), context);
    const protocol = new FdStreamProtocol(reader, this.#fdLimit, onConnected, options);
    return protocol;
  }
}
