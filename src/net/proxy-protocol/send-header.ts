/** The option `sendProxyHeader` of opened connections: its checks, the bytes, and sending them. */
import type net from "node:net";
import { checkBoolean, checkInteger, checkOptions, invalidType, invalidValue, isBytes } from "../../base/arguments.js";
import { ignore } from "../../base/errors.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../../base/known-options.js";
import { ownCopy } from "../../base/memory.js";
import { abortReason, forgetAborted, onceAborted } from "../../base/waiting.js";
import type { ProxyFields, ProxySsl, SocketAddress } from "../../contracts/extra-info.js";
import { parseIp } from "./ip-address.js";
import { encodeTlvs, isVerified, MAX_UNIQUE_ID_BYTES, REGISTERED_TYPES } from "./tlv.js";
import { encodeVersion1 } from "./version-1.js";
import { encodeVersion2, UNIX_NAME_BYTES, V2_FIXED_BYTES, V2_MAX_REST_BYTES } from "./version-2.js";

/**
 * The header to send: addresses and fields. The `proxy_header` that a server has received can be passed on as it is.
 *
 * @example
 * ```ts
 * const sendProxyHeader = { source: ["192.0.2.1", 1025], destination: ["198.51.100.7", 443], authority: "www.example" } as const;
 * const [reader, writer] = await openConnection("127.0.0.1", 8080, { sendProxyHeader });
 * ```
 */
export interface SendProxyHeaderOptions extends ProxyFields {
  /** The version of the protocol. Version 1 has no fields besides the addresses. Default 2. */
  readonly version?: 1 | 2 | undefined;
  /** `"proxy"` (default): for a client. `"local"`: the sender speaks for itself, for example in a health check; without any fields. */
  readonly command?: "proxy" | "local" | undefined;
  /** Whether to add a checksum to a version 2 header. Default false. */
  readonly crc32c?: boolean | undefined;
}

const SEND_PROXY_HEADER_OPTIONS: KnownOptions = knownOptions<SendProxyHeaderOptions>({
  version: true,
  command: true,
  crc32c: true,
  transport: true,
  source: true,
  destination: true,
  alpn: true,
  authority: true,
  uniqueId: true,
  ssl: true,
  netns: true,
  tlvs: true,
});

const TEXT_FIELDS = ["alpn", "authority", "netns"] as const;
const SSL_FLAGS = ["secured", "certOnConnection", "certInSession"] as const;
const SSL_TEXTS = ["version", "commonName", "cipher", "signatureAlgorithm", "keyAlgorithm", "group", "signatureScheme"] as const;

/** Checks the option and encodes the header; `null` if none is to be sent. It has its own memory, because it is kept until it is sent. */
export function checkSendProxyHeader(options: SendProxyHeaderOptions | undefined, call: string): Buffer | null {
  return options === undefined ? null : ownCopy(encodeHeader(options, call));
}

function encodeHeader(options: SendProxyHeaderOptions, call: string): Buffer {
  checkKnownOptions(call, options, SEND_PROXY_HEADER_OPTIONS, "sendProxyHeader");
  const { version = 2, command = "proxy", transport } = options;
  if (version !== 1 && version !== 2) throw invalidType("sendProxyHeader.version", "1 or 2", version);
  if (command !== "proxy" && command !== "local") throw invalidType("sendProxyHeader.command", '"proxy" or "local"', command);
  if (transport !== undefined && transport !== "stream" && transport !== "datagram") {
    throw invalidType("sendProxyHeader.transport", '"stream" or "datagram"', transport);
  }
  const source = checkAddress("sendProxyHeader.source", options.source);
  const destination = checkAddress("sendProxyHeader.destination", options.destination);
  if ((source === undefined) !== (destination === undefined)) {
    throw invalidValue("sendProxyHeader.source and destination must be given together");
  }
  if (typeof source !== typeof destination) throw invalidValue("sendProxyHeader.source and destination must be of one family");
  if (transport !== undefined && source === undefined) throw invalidValue("sendProxyHeader.transport is only meaningful with addresses");
  const crc32c = checkBoolean("sendProxyHeader.crc32c", options.crc32c) ?? false;
  checkTlvs(options);
  if (command === "local" && (source !== undefined || encodeTlvs(options).length > 0)) {
    throw invalidValue('sendProxyHeader.command "local" allows no addresses and no fields');
  }
  if (version === 2) return checkLength(encodeVersion2({ ...options, command, source, destination, crc32c }));
  if (transport === "datagram") throw invalidValue('sendProxyHeader.transport must be "stream" in version 1');
  if (crc32c || encodeTlvs(options).length > 0) throw invalidValue("sendProxyHeader can have no fields besides the addresses in version 1");
  return encodeVersion1(source, destination);
}

function checkLength(header: Buffer): Buffer {
  const length = header.length - V2_FIXED_BYTES;
  if (length <= V2_MAX_REST_BYTES) return header;
  throw invalidValue(`sendProxyHeader exceeds the maximum of ${V2_MAX_REST_BYTES} bytes: its addresses and fields have ${length}`);
}

function checkAddress(name: string, address: unknown): SocketAddress | undefined {
  if (address === undefined) return undefined;
  if (typeof address === "string") {
    const length = Buffer.byteLength(address);
    if (length > UNIX_NAME_BYTES)
      throw invalidValue(`${name} exceeds the ${UNIX_NAME_BYTES} bytes of a Unix socket's name: it has ${length}`);
    if (address.includes("\0", 1)) throw invalidValue(`${name} must not contain a NUL after its first character`);
    return address;
  }
  if (!Array.isArray(address) || typeof address[0] !== "string") throw invalidType(name, "an array of host and port, or a path", address);
  const [host] = address[0].split("%", 1) as [string]; // the zone means nothing to another machine
  if (parseIp(host) === null) throw invalidValue(`${name} must have an IP address, not ${JSON.stringify(address[0])}`);
  return [host, checkInteger(`${name}[1]`, address[1], 0, 65_535)];
}

function checkTlvs(options: SendProxyHeaderOptions): void {
  for (const field of TEXT_FIELDS) checkText(`sendProxyHeader.${field}`, options[field]);
  const { alpn } = options;
  if (alpn !== undefined && Buffer.from(alpn, "latin1").toString("latin1") !== alpn) {
    throw invalidValue("sendProxyHeader.alpn must consist of characters from U+0000 to U+00FF, one for each byte");
  }
  if (options.uniqueId !== undefined) {
    checkBytes("sendProxyHeader.uniqueId", options.uniqueId);
    if (options.uniqueId.length > MAX_UNIQUE_ID_BYTES) {
      throw invalidValue(`sendProxyHeader.uniqueId exceeds ${MAX_UNIQUE_ID_BYTES} bytes: it has ${options.uniqueId.length}`);
    }
  }
  if (options.ssl !== undefined) checkSsl(options.ssl);
  if (options.tlvs === undefined) return;
  if (!Array.isArray(options.tlvs)) throw invalidType("sendProxyHeader.tlvs", "an array of { type, value }", options.tlvs);
  for (const [index, tlv] of options.tlvs.entries()) {
    const name = `sendProxyHeader.tlvs[${index}]`;
    if (tlv === undefined) throw invalidType(name, "{ type, value }", tlv);
    checkOptions(name, tlv);
    checkInteger(`${name}.type`, tlv.type, 0, 255);
    if (REGISTERED_TYPES.has(tlv.type)) throw invalidValue(`${name}.type must not be ${tlv.type}, which has a field of its own`);
    checkBytes(`${name}.value`, tlv.value);
  }
}

function checkSsl(ssl: ProxySsl): void {
  checkOptions("sendProxyHeader.ssl", ssl);
  for (const flag of SSL_FLAGS) {
    if (typeof ssl[flag] !== "boolean") throw invalidType(`sendProxyHeader.ssl.${flag}`, "true or false", ssl[flag]);
  }
  checkInteger("sendProxyHeader.ssl.verify", ssl.verify, 0, 2 ** 32 - 1);
  if (checkBoolean("sendProxyHeader.ssl.verified", ssl.verified) !== undefined && ssl.verified !== isVerified(ssl)) {
    throw invalidValue("sendProxyHeader.ssl.verified contradicts verify, certOnConnection and certInSession");
  }
  for (const text of SSL_TEXTS) checkText(`sendProxyHeader.ssl.${text}`, ssl[text]);
  if (ssl.certificate !== undefined) checkBytes("sendProxyHeader.ssl.certificate", ssl.certificate);
}

function checkText(name: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== "string") throw invalidType(name, "a string", value);
  if (name !== "sendProxyHeader.alpn" && value.includes("\0")) throw invalidValue(`${name} must not contain a NUL`);
  checkFieldLength(name, Buffer.byteLength(value));
}

function checkBytes(name: string, value: unknown): void {
  if (!isBytes(value)) throw invalidType(name, "a Uint8Array", value);
  checkFieldLength(name, value.length);
}

/** The length of a field has 16 bits. A header whose fields are too long together is refused when it is encoded. */
function checkFieldLength(name: string, length: number): void {
  if (length > V2_MAX_REST_BYTES) throw invalidValue(`${name} exceeds the ${V2_MAX_REST_BYTES} bytes of a header: it has ${length}`);
}

/* Sending. */

/** Sends the header on a connected socket, and waits until the system has it. If that fails or is aborted, the socket is closed. */
export function sendHeader(socket: net.Socket, header: Buffer, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      socket.destroy();
      reject(abortReason(signal));
    };
    try {
      onceAborted(signal, onAbort); // throws if the signal does
    } catch (error) {
      socket.destroy();
      throw error;
    }
    // A socket that was handed over may have no listener, and the peer may reset it while the header waits behind what was written before.
    socket.on("error", ignore);
    socket.write(header, (error) => {
      forgetAborted(signal, onAbort);
      if (!error) {
        resolve();
        return;
      }
      socket.destroy();
      reject(socket.errored ?? error);
    });
  });
}
