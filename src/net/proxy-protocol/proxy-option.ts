/** The option `proxyProtocol` of servers, and what a server does with it: `ProxyPolicy`. */
import { checkInteger, checkTimeout, invalidType, invalidValue, showAddress } from "../../base/arguments.js";
import { ProxyProtocolError } from "../../base/errors.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../../base/known-options.js";
import type { Canceller } from "../../base/waiting.js";
import type { ExtraInfo, ProxyHeader, TransportSocket } from "../../contracts/extra-info.js";
import type { Wire } from "../../transports/wire.js";
import { receiveHeader } from "./receive-header.js";
import { type IsTrusted, trustByFunction, trustNetworks } from "./trusted-senders.js";
import { V2_FIXED_BYTES, V2_MAX_REST_BYTES } from "./version-2.js";

/** How long a header may take, in milliseconds. The protocol's recommendation is at least 3 s, so that a lost packet can be sent again. */
const HEADER_TIMEOUT_MS = 5_000;

/** The maximum length of a header. HAProxy's default buffer, which no header that it sends exceeds. */
const MAX_HEADER_BYTES = 16_384;

/** The minimum of that maximum: a version 2 header of IPv6, without further fields. */
const MIN_MAX_HEADER_BYTES = 52;

/** How a server receives the headers of the PROXY protocol. */
export interface ProxyProtocolOptions {
  /**
   * Who may send a header: IP addresses and networks (`["10.0.0.0/8", "::1"]`), or a function that returns `true` or `false` for the
   * socket of a new connection. On a Unix socket, only a function. Default: every client that can connect, which then can claim any
   * address. Connections of others are refused.
   */
  readonly trusted?: readonly string[] | ((socket: TransportSocket) => boolean) | undefined;
  /** How long a header may take, in milliseconds. Default 5,000 ms. */
  readonly timeout?: number | undefined;
  /** The maximum length of a version 2 header in bytes, 52 to 65,551. Default 16,384. A version 1 header has at most 107 bytes. */
  readonly maxHeaderBytes?: number | undefined;
}

const PROXY_PROTOCOL_OPTIONS: KnownOptions = knownOptions<ProxyProtocolOptions>({ trusted: true, timeout: true, maxHeaderBytes: true });

/**
 * Checks the option. Returns `null` if the server does not use the protocol.
 *
 * An unknown name is refused: with a misspelt `trusted`, every client would be trusted.
 */
export function checkProxyProtocol(
  option: boolean | ProxyProtocolOptions | undefined,
  kind: "tcp" | "unix",
  call: string,
): ProxyPolicy | null {
  if (option === undefined || option === false) return null;
  if (option !== true && (typeof option !== "object" || option === null))
    throw invalidType("proxyProtocol", "true, false or an options object", option);
  if (option !== true) checkKnownOptions(call, option, PROXY_PROTOCOL_OPTIONS, "proxyProtocol");
  const { trusted, timeout, maxHeaderBytes } = option === true ? ({} as ProxyProtocolOptions) : option;
  const [name, most] = ["proxyProtocol.maxHeaderBytes", V2_FIXED_BYTES + V2_MAX_REST_BYTES] as const;
  return new ProxyPolicy(
    checkTrusted(trusted, kind),
    timeout === undefined ? HEADER_TIMEOUT_MS : checkTimeout("proxyProtocol.timeout", timeout, 1),
    maxHeaderBytes === undefined ? MAX_HEADER_BYTES : checkInteger(name, maxHeaderBytes, MIN_MAX_HEADER_BYTES, most),
  );
}

function checkTrusted(trusted: unknown, kind: "tcp" | "unix"): IsTrusted {
  if (trusted === undefined) return () => true;
  if (typeof trusted === "function") return trustByFunction(trusted as IsTrusted);
  if (!Array.isArray(trusted) || !trusted.every((entry) => typeof entry === "string")) {
    throw invalidType("proxyProtocol.trusted", "an array of addresses and networks, or a function", trusted);
  }
  if (kind === "unix") throw invalidValue("proxyProtocol.trusted must be a function on a Unix socket, whose clients have no IP address");
  return trustNetworks(trusted);
}

/** What a server with the option does with a new connection. */
export class ProxyPolicy {
  readonly #isTrusted: IsTrusted;
  readonly #timeoutMs: number;
  readonly #maxBytes: number;

  constructor(isTrusted: IsTrusted, timeoutMs: number, maxBytes: number) {
    this.#isTrusted = isTrusted;
    this.#timeoutMs = timeoutMs;
    this.#maxBytes = maxBytes;
  }

  /** @throws ProxyProtocolError if the peer is not trusted; what the program's function throws */
  checkSender(socket: TransportSocket): void {
    if (!this.#isTrusted(socket)) {
      throw new ProxyProtocolError(`refused a connection from ${nameOf(socket)}: it is not a trusted sender of PROXY headers`);
    }
  }

  /** Waits for the header. Returns the extra info that it gives. If it fails, the wire is closed. */
  async receive(wire: Wire, socket: TransportSocket, signal: Canceller): Promise<Partial<ExtraInfo>> {
    const header = await receiveHeader(wire, { from: nameOf(socket), timeoutMs: this.#timeoutMs, maxBytes: this.#maxBytes, signal });
    return extraInfoOf(header);
  }
}

function extraInfoOf(header: ProxyHeader): Partial<ExtraInfo> {
  const { source, destination } = header;
  if (source === undefined || destination === undefined) return { proxy_header: header };
  return { proxy_header: header, peername: source, sockname: destination };
}

/** Names a peer in a message. */
function nameOf(socket: TransportSocket): string {
  const peer = socket.getpeername();
  if (peer === null) return "a client that is gone";
  return peer === "" ? "a Unix socket" : showAddress(peer);
}
