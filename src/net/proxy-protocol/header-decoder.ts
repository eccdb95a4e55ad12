/**
 * `ProxyHeaderDecoder`: finds and decodes the header at the beginning of a connection. No I/O: bytes are pushed in, in pieces of any size.
 *
 * Promises: bytes that cannot begin a header are refused at once, so a client of another protocol is not kept waiting. At most the maximum
 * length of a header is kept. The bytes behind the header are returned unchanged.
 */

import { ByteQueue } from "../../base/byte-queue.js";
import type { NonSharedBuffer } from "../../base/bytes.js";
import { ProxyProtocolError } from "../../base/errors.js";
import { constant } from "../../base/memory.js";
import type { ProxyHeader } from "../../contracts/extra-info.js";
import { decodeVersion1, V1_MAX_BYTES, V1_SIGNATURE } from "./version-1.js";
import { decodeVersion2, lengthOfVersion2, V2_FIXED_BYTES, V2_SIGNATURE } from "./version-2.js";

const CRLF: NonSharedBuffer = constant("\r\n");

/** The number of bytes that are shown in a message. */
const SHOWN_BYTES = 16;

/** A decoded header, and the bytes that followed it. */
export interface DecodedHeader {
  readonly header: ProxyHeader;
  /** May be empty. */
  readonly rest: NonSharedBuffer;
}

export class ProxyHeaderDecoder {
  readonly #maxBytes: number;
  readonly #queue: ByteQueue = new ByteQueue();
  /** The number of bytes that must have been received before decoding can make progress. */
  #needed = 1;

  /** @param maxBytes the maximum length of a version 2 header */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Number of bytes received so far. */
  get received(): number {
    return this.#queue.length;
  }

  /**
   * Takes received bytes. Returns the header once it is complete, and `null` before.
   *
   * @throws ProxyProtocolError if the bytes are not the beginning of a valid header
   */
  push(bytes: Buffer): DecodedHeader | null {
    const queue = this.#queue;
    queue.push(bytes);
    if (queue.length < this.#needed) return null;
    const start = queue.copy(0, Math.min(queue.length, V1_MAX_BYTES));
    if (begins(start, V2_SIGNATURE)) return this.#decodeVersion2(start);
    if (begins(start, V1_SIGNATURE)) return this.#decodeVersion1(start);
    throw new ProxyProtocolError(`the connection begins with ${shown(start.subarray(0, SHOWN_BYTES))}`);
  }

  #decodeVersion1(start: NonSharedBuffer): DecodedHeader | null {
    const end = start.indexOf(CRLF);
    if (end >= 0) return this.#finish(end + CRLF.length, (line) => decodeVersion1(line.toString("latin1", 0, end)));
    if (start.length === V1_MAX_BYTES) throw new ProxyProtocolError(`the line exceeds ${V1_MAX_BYTES} bytes`);
    return null;
  }

  #decodeVersion2(start: NonSharedBuffer): DecodedHeader | null {
    this.#needed = V2_FIXED_BYTES;
    if (start.length < V2_FIXED_BYTES) return null;
    const length = lengthOfVersion2(start);
    if (length > this.#maxBytes) throw new ProxyProtocolError(`the header of ${length} bytes exceeds maxHeaderBytes (${this.#maxBytes})`);
    this.#needed = length;
    return this.#queue.length < length ? null : this.#finish(length, decodeVersion2);
  }

  #finish(length: number, decode: (bytes: Buffer) => ProxyHeader): DecodedHeader {
    const header = decode(this.#queue.take(length));
    return { header, rest: this.#queue.takeAll() };
  }
}

/** Shows bytes in a message: text in quotes, anything else as a hexadecimal number. */
function shown(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  return /^[\x20-\x7e\t\r\n]*$/.test(text) ? JSON.stringify(text) : `0x${bytes.toString("hex")}`;
}

/** Whether the bytes begin with the signature, or with as much of it as there is. */
function begins(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}
