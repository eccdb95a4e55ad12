/** Puts a transport and a protocol on a connected socket, for opened connections and accepted clients alike. */
import type net from "node:net";
import type { TLSSocket } from "node:tls";
import { checkProtocol } from "../base/arguments.js";
import type { AbortSource } from "../base/waiting.js";
import type { Protocol, ProtocolFactory, Transport } from "../contracts/connection.js";
import { publishStarted } from "../transports/diagnostics.js";
import { NodeWire } from "../transports/node-wire.js";
import { ConnectedSocket, type UnixNames, unwired } from "../transports/socket-info.js";
import { TlsInfo } from "../transports/tls-info.js";
import { UpgradableTransport } from "../transports/upgradable.js";
import type { Wire } from "../transports/wire.js";
import type { ConnectionContext } from "./connection-context.js";
import type { ClientTls, ServerTls } from "./options.js";
import { sendHeader } from "./proxy-protocol/send-header.js";
import { wireOf } from "./wire-factory.js";

/** The facts about an opened connection. */
interface OpenedFacts extends Pick<ConnectionContext, "begunAt" | "host"> {
  /** The names of a Unix socket; `null` for TCP. */
  readonly unixNames: UnixNames | null;
}

/** The facts about an opened connection, and what comes before its transport. */
interface OpenedContext extends OpenedFacts {
  /** The header of the PROXY protocol to send first; `null` for none. */
  readonly proxyHeader: Buffer | null;
  readonly tls: ClientTls | null;
  readonly signal: AbortSignal | undefined;
}

/** Starts an opened connection, after the PROXY header and the TLS handshake if there are any. On any failure the socket is closed. */
export async function openTransport<P extends Protocol>(
  socket: net.Socket,
  protocolFactory: ProtocolFactory<P>,
  { proxyHeader, tls, signal, ...facts }: OpenedContext,
): Promise<[Transport, P]> {
  if (proxyHeader !== null) await sendHeader(socket, proxyHeader, signal);
  if (tls === null) return startOpened(wireOf(socket), protocolFactory, facts);
  const info = new ConnectedSocket(unwired(socket), facts.unixNames);
  const secured = await tls.handshake.secure(socket, tls.sslHandshakeTimeout, signal);
  return startSecured(secured, protocolFactory, { ...facts, info }, tls);
}

/** Starts an opened connection without TLS. If the factory throws, the wire is closed. */
export function startOpened<P extends Protocol>(
  wire: Wire,
  protocolFactory: ProtocolFactory<P>,
  { unixNames, begunAt, host }: OpenedFacts,
): [Transport, P] {
  return startTransport(wire, protocolFactory, { begunAt, host, info: new ConnectedSocket(wire, unixNames) });
}

/** Runs the TLS handshake of an accepted client and starts its connection. On any failure the socket is closed. */
export async function acceptSecured<P extends Protocol>(
  socket: net.Socket,
  protocolFactory: ProtocolFactory<P>,
  facts: ConnectionContext,
  tls: ServerTls,
  signal: AbortSource | undefined,
): Promise<[Transport, P]> {
  const secured = await tls.handshakes.secure(socket, tls.sslHandshakeTimeout, signal);
  return startSecured(secured, protocolFactory, facts, tls);
}

/** Starts a connection without TLS. If the factory throws, the wire is closed. */
export function startTransport<P extends Protocol>(
  wire: Wire,
  protocolFactory: ProtocolFactory<P>,
  facts: ConnectionContext,
): [Transport, P] {
  return start(wire, protocolFactory, facts);
}

function startSecured<P extends Protocol>(
  secured: TLSSocket,
  protocolFactory: ProtocolFactory<P>,
  facts: ConnectionContext,
  tls: ClientTls | ServerTls,
): [Transport, P] {
  return start(new NodeWire(secured), protocolFactory, facts, secured, tls);
}

function start<P extends Protocol>(
  wire: Wire,
  protocolFactory: ProtocolFactory<P>,
  { owner, isAccepted, host, begunAt, info, proxyInfo }: ConnectionContext,
  secured?: TLSSocket,
  tls?: ClientTls | ServerTls,
): [Transport, P] {
  try {
    const protocol = protocolFactory();
    checkProtocol("the result of protocolFactory", protocol);
    const tlsInfo = secured === undefined || tls === undefined ? undefined : new TlsInfo(secured, tls.ssl);
    const tlsShutdownTimeout = tls?.sslShutdownTimeout;
    const transport = new UpgradableTransport(wire, { protocol, info, tlsInfo, proxyInfo, owner, host, tlsShutdownTimeout });
    publishStarted(transport, isAccepted ?? owner !== undefined, begunAt);
    transport.start();
    return [transport, protocol];
  } catch (error) {
    wire.destroy();
    throw error;
  }
}
