/**
 * The fields that follow the addresses in a version 2 header: type, length, value ("TLV"). The type SSL has fields of its own inside.
 *
 * A malformed field makes the whole header invalid: a field that is cut off, a text that is not UTF-8 or contains a NUL, and a registered
 * type that occurs twice, of which two readers might choose different ones.
 */
import type { NonSharedBuffer } from "../../base/bytes.js";
import { ProxyProtocolError } from "../../base/errors.js";
import { ownCopy } from "../../base/memory.js";
import type { ProxyFields, ProxyHeader, ProxySsl } from "../../contracts/extra-info.js";

/** The length of a field's type and length. */
const TLV_HEADER_BYTES = 3;

/** The registered types. */
const TYPES = { alpn: 0x01, authority: 0x02, crc32c: 0x03, noop: 0x04, uniqueId: 0x05, ssl: 0x20, netns: 0x30 } as const;

/** The types inside the type SSL that have text. */
const SSL_TEXTS = {
  version: 0x21,
  commonName: 0x22,
  cipher: 0x23,
  signatureAlgorithm: 0x24,
  keyAlgorithm: 0x25,
  group: 0x26,
  signatureScheme: 0x27,
} as const;
const SSL_CERTIFICATE = 0x28;

/** The bits of the first byte of the type SSL. */
const SSL_SECURED = 0x01;
const SSL_CERT_ON_CONNECTION = 0x02;
const SSL_CERT_IN_SESSION = 0x04;

/** The length of the bits and the result of the verification. */
const SSL_HEADER_BYTES = 5;

/** The maximum length of a unique id. */
export const MAX_UNIQUE_ID_BYTES = 128;

/** The types that have a named field, or that the encoder writes itself. */
export const REGISTERED_TYPES: ReadonlySet<number> = new Set(Object.values(TYPES));

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

type ReceivedFields = Pick<ProxyHeader, keyof ProxyFields>;

/** The fields of a header. */
interface DecodedTlvs {
  readonly fields: ReceivedFields;
  /** Where the checksum is; `null` if there is none. */
  readonly crcAt: number | null;
}

/** Decodes the fields from `start` to the end of a header. */
export function decodeTlvs(header: Buffer, start: number): DecodedTlvs {
  const fields: Writable<ReceivedFields> = {};
  const tlvs: NonNullable<ReceivedFields["tlvs"]>[number][] = [];
  let crcAt: number | null = null;
  for (const { type, at, value } of split(header, start)) {
    switch (type) {
      case TYPES.alpn:
        fields.alpn = value.toString("latin1");
        break;
      case TYPES.authority:
        fields.authority = textOf(value);
        break;
      case TYPES.crc32c:
        if (value.length !== 4) throw new ProxyProtocolError(`the checksum has ${value.length} bytes instead of 4`);
        crcAt = at;
        break;
      case TYPES.noop:
        break;
      case TYPES.uniqueId:
        if (value.length > MAX_UNIQUE_ID_BYTES) throw new ProxyProtocolError(`the unique id exceeds 128 bytes: it has ${value.length}`);
        fields.uniqueId = ownCopy(value);
        break;
      case TYPES.ssl:
        fields.ssl = decodeSsl(value);
        break;
      case TYPES.netns:
        fields.netns = textOf(value);
        break;
      default:
        tlvs.push({ type, value: ownCopy(value) });
    }
  }
  if (tlvs.length > 0) fields.tlvs = tlvs;
  return { fields, crcAt };
}

function decodeSsl(value: Buffer): NonNullable<ReceivedFields["ssl"]> {
  if (value.length < SSL_HEADER_BYTES) throw new ProxyProtocolError(`the SSL field has ${value.length} bytes instead of at least 5`);
  const client = value.readUInt8(0);
  const verify = value.readUInt32BE(1);
  const texts: Partial<Record<keyof typeof SSL_TEXTS, string>> = {};
  let certificate: NonSharedBuffer | undefined;
  for (const { type, value: sub } of split(value, SSL_HEADER_BYTES)) {
    const name = SSL_TEXT_NAMES.get(type);
    if (name !== undefined) texts[name] = textOf(sub);
    else if (type === SSL_CERTIFICATE) certificate = ownCopy(sub);
  }
  const ssl = {
    secured: (client & SSL_SECURED) !== 0,
    certOnConnection: (client & SSL_CERT_ON_CONNECTION) !== 0,
    certInSession: (client & SSL_CERT_IN_SESSION) !== 0,
    verify,
  };
  return { ...ssl, verified: isVerified(ssl), ...texts, ...(certificate === undefined ? {} : { certificate }) };
}

const SSL_TEXT_NAMES: ReadonlyMap<number, keyof typeof SSL_TEXTS> = new Map(
  Object.entries(SSL_TEXTS).map(([name, type]) => [type, name as keyof typeof SSL_TEXTS]),
);

/** Whether a certificate was presented and verified: a result of 0 alone does not say that there was a certificate. */
export function isVerified(ssl: ProxySsl): boolean {
  return ssl.verify === 0 && (ssl.certOnConnection || ssl.certInSession);
}

/** Splits fields. Refuses a registered type that occurs twice; only padding may repeat. */
function* split(bytes: Buffer, start: number): Generator<{ readonly type: number; readonly at: number; readonly value: Buffer }> {
  const seen = new Set<number>();
  for (let at = start; at < bytes.length; ) {
    if (bytes.length - at < TLV_HEADER_BYTES) throw new ProxyProtocolError(`${bytes.length - at} bytes follow the last complete field`);
    const type = bytes.readUInt8(at);
    const length = bytes.readUInt16BE(at + 1);
    at += TLV_HEADER_BYTES;
    if (length > bytes.length - at) {
      throw new ProxyProtocolError(`the field ${hex(type)} has ${length} bytes, but only ${bytes.length - at} follow`);
    }
    const isRegistered = REGISTERED_TYPES.has(type) || SSL_TEXT_NAMES.has(type) || type === SSL_CERTIFICATE;
    if (isRegistered && type !== TYPES.noop && seen.has(type)) throw new ProxyProtocolError(`the field ${hex(type)} occurs twice`);
    seen.add(type);
    yield { type, at, value: bytes.subarray(at, at + length) };
    at += length;
  }
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes a text: UTF-8 without NULs. */
export function textOf(bytes: Uint8Array): string {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new ProxyProtocolError("a text in the header is not UTF-8");
  }
  if (text.includes("\0")) throw new ProxyProtocolError("a text in the header contains a NUL");
  return text;
}

/* Encoding. */

/** Encodes the fields of a header. They have been checked. */
export function encodeTlvs({ alpn, authority, uniqueId, ssl, netns, tlvs = [] }: ProxyFields): Buffer {
  return Buffer.concat([
    ...(alpn === undefined ? [] : [tlv(TYPES.alpn, Buffer.from(alpn, "latin1"))]),
    ...(authority === undefined ? [] : [tlv(TYPES.authority, Buffer.from(authority))]),
    ...(uniqueId === undefined ? [] : [tlv(TYPES.uniqueId, uniqueId)]),
    ...(ssl === undefined ? [] : [tlv(TYPES.ssl, encodeSsl(ssl))]),
    ...(netns === undefined ? [] : [tlv(TYPES.netns, Buffer.from(netns))]),
    ...tlvs.map(({ type, value }) => tlv(type, value)),
  ]);
}

/** Returns a checksum field whose value is to be filled in. */
export function emptyChecksum(): Buffer {
  return tlv(TYPES.crc32c, Buffer.alloc(4));
}

function encodeSsl(ssl: ProxySsl): Buffer {
  const head = Buffer.alloc(SSL_HEADER_BYTES);
  head.writeUInt8(
    (ssl.secured ? SSL_SECURED : 0) | (ssl.certOnConnection ? SSL_CERT_ON_CONNECTION : 0) | (ssl.certInSession ? SSL_CERT_IN_SESSION : 0),
  );
  head.writeUInt32BE(ssl.verify, 1);
  const texts = [...SSL_TEXT_NAMES].flatMap(([type, name]) => (ssl[name] === undefined ? [] : [tlv(type, Buffer.from(ssl[name]))]));
  return Buffer.concat([head, ...texts, ...(ssl.certificate === undefined ? [] : [tlv(SSL_CERTIFICATE, ssl.certificate)])]);
}

function tlv(type: number, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(type, value.length >> 8, value.length & 0xff), value]);
}
