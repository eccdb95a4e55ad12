/**
 * TLS handshakes over a connected socket, in both roles.
 *
 * Theory of operation
 *
 * The input is a connected, paused socket; bytes that were read ahead have been put back into it. The result is a secured and verified
 * `tls.TLSSocket`. If the handshake fails, the promise rejects with the reason and the socket is destroyed. The time-out is implemented
 * here for both roles, because Node has none for clients.
 *
 * Client: `tls.connect()` over the socket. The name to verify is always set here, because Node would fall back to "localhost".
 *
 * Server: a `tls.Server` that does not listen. It receives the socket as a 'connection' event, which Node documents for that purpose. So
 * all options of `tls.createServer()` work (client certificates, SNI, ALPN, PSK). The events of a server do not say which socket they are
 * about, so each handshake has a server to itself. Servers are kept and reused, because creating one includes parsing certificates. A bare
 * `SecureContext` needs no such server.
 */
import { randomBytes, X509Certificate } from "node:crypto";
import type net from "node:net";
import { isIP } from "node:net";
import tls from "node:tls";
import { ConnectionTimeoutError, ignore } from "../base/errors.js";
import { clearTimeout, MAX_TIMER_MS, setImmediate, setTimeout } from "../base/scheduling.js";
import { abortReason, forgetAborted, onceAborted } from "../base/waiting.js";
import type { SSLClient, SSLServer } from "../contracts/extra-info.js";
import { carry, noteSocketBelow, TlsCarrier } from "./tls-carrier.js";

/** Value for Node's own time-out, which cannot be switched off: the longest timer that Node supports. */
const NEVER_MS = MAX_TIMER_MS;

/** Maximum number of servers kept for later handshakes. More are created while more handshakes run at once. */
const MAX_IDLE_SERVERS = 8;

/** Length of the session ticket keys in bytes, fixed by Node. */
const TICKET_KEYS_BYTES = 48;

/** Whether `ssl` is a `SecureContext`, and not options for creating one. */
function isSecureContext(ssl: object): ssl is tls.SecureContext {
  return "context" in ssl;
}

/**
 * Checks the certificate for an IPv6 address.
 *
 * Node 22.23: `tls.checkServerIdentity()` compares IPv6 addresses as text. It accepts no certificate for "::1", because it spells out the
 * certificate's address.
 */
function checkAddress(address: string, shown: tls.PeerCertificate): Error | undefined {
  const error = tls.checkServerIdentity(address, shown);
  return error === undefined || new X509Certificate(shown.raw).checkIP(address) === undefined ? error : undefined;
}

/** The handshake of a client. */
export class ClientHandshake {
  readonly #options: tls.ConnectionOptions;

  /** @throws the error of `tls.createSecureContext()` for invalid options, such as a malformed certificate */
  constructor(ssl: SSLClient, serverHostname: string) {
    const given: tls.ConnectionOptions = ssl === true ? {} : isSecureContext(ssl) ? { secureContext: ssl } : ssl;
    this.#options = {
      checkServerIdentity: isIP(serverHostname) === 6 ? checkAddress : tls.checkServerIdentity,
      ...given,
      secureContext: given.secureContext ?? tls.createSecureContext(given),
      host: serverHostname,
      // An address is verified, but is not valid as an SNI name (Node: DEP0123).
      servername: isIP(serverHostname) === 0 ? serverHostname : "",
      ...(serverHostname === "" ? { checkServerIdentity: () => undefined } : {}),
    };
  }

  secure(socket: net.Socket, timeoutMs: number, signal?: AbortSignal): Promise<tls.TLSSocket> {
    return handshake(socket, timeoutMs, signal, (carrier, onSecured, onFailed) => {
      const secured = tls.connect({ ...this.#options, socket: carrier });
      secured.once("secureConnect", () => onSecured(secured));
      secured.on("error", onFailed);
      return secured;
    });
  }
}

/** The handshakes of a server, all with the same configuration. */
export class ServerHandshakes {
  readonly #context: tls.SecureContext | null;
  readonly #options: tls.TlsOptions;
  readonly #idle: tls.Server[] = [];

  /** @throws the error of `tls.createServer()` for invalid options, such as a key that does not match the certificate */
  constructor(ssl: SSLServer) {
    this.#context = isSecureContext(ssl) ? ssl : null;
    // All servers share the ticket keys, so that a session can be resumed with any of them.
    this.#options = isSecureContext(ssl) ? {} : { ticketKeys: randomBytes(TICKET_KEYS_BYTES), ...ssl, handshakeTimeout: NEVER_MS };
    if (this.#context === null) this.#idle.push(tls.createServer(this.#options));
  }

  secure(socket: net.Socket, timeoutMs: number, signal?: AbortSignal): Promise<tls.TLSSocket> {
    const context = this.#context;
    if (context !== null) {
      return handshake(socket, timeoutMs, signal, (carrier, onSecured, onFailed) => {
        const secured = new tls.TLSSocket(carrier, { isServer: true, secureContext: context });
        secured.once("secure", () => onSecured(secured));
        secured.on("error", onFailed);
        return secured;
      });
    }
    const server = this.#idle.pop() ?? tls.createServer(this.#options);
    const result = handshake(socket, timeoutMs, signal, (carrier, onSecured, onFailed) => {
      server.once("secureConnection", onSecured);
      server.once("tlsClientError", (error, failed) =>
        onFailed(failed.authorizationError ? unauthorized(failed.authorizationError, error) : error),
      );
      server.emit("connection", carrier);
      return null;
    });
    const release = (): void => {
      server.removeAllListeners("secureConnection").removeAllListeners("tlsClientError");
      if (this.#idle.length < MAX_IDLE_SERVERS) this.#idle.push(server);
    };
    // After a failure, the server may still emit events of the old socket, which a new handshake would mistake for its own. So it is not
    // reused.
    result.then(release, () => server.removeAllListeners("secureConnection").removeAllListeners("tlsClientError"));
    return result;
  }
}

function unauthorized(reason: Error | string, cause: Error): Error {
  const code = typeof reason === "string" ? reason : reason.message;
  return Object.assign(new Error(`the client's certificate was rejected: ${code}`, { cause }), { code });
}

/** Starts a handshake: creates the `TLSSocket`, or returns `null` if a server creates it. */
type Begin = (
  carrier: net.Socket | TlsCarrier,
  onSecured: (secured: tls.TLSSocket) => void,
  onFailed: (error: unknown) => void,
) => tls.TLSSocket | null;

function handshake(socket: net.Socket, timeoutMs: number, signal: AbortSignal | undefined, begin: Begin): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => new Handshake(socket, timeoutMs, signal, { resolve, reject }).run(begin));
}

/** Settles the promise of a handshake. */
interface Settle {
  resolve(secured: tls.TLSSocket): void;
  reject(reason: unknown): void;
}

/**
 * One handshake: limits its time, lets a signal abort it, and notices the end of the socket beneath it. A handshake that fails destroys
 * both sockets.
 */
class Handshake {
  readonly #socket: net.Socket;
  readonly #signal: AbortSignal | undefined;
  readonly #settle: Settle;
  readonly #timer: NodeJS.Timeout;
  #state: "running" | "secured" | "failed" = "running";
  #begun: tls.TLSSocket | null = null;

  constructor(socket: net.Socket, timeoutMs: number, signal: AbortSignal | undefined, settle: Settle) {
    this.#socket = socket;
    this.#signal = signal;
    this.#settle = settle;
    this.#timer = setTimeout(() => {
      this.#fail(new ConnectionTimeoutError(`the TLS handshake took longer than ${timeoutMs} ms: the connection was cut`));
    }, timeoutMs);
  }

  run(begin: Begin): void {
    const socket = this.#socket;
    // Half-close is not supported over TLS. Node: a TLSSocket inherits this flag. If it is set, the TLSSocket does not notice that the peer
    // left during the handshake.
    (socket as { allowHalfOpen: boolean }).allowHalfOpen = false;
    socket.on("error", ignore).on("close", this.#onClose);
    try {
      onceAborted(this.#signal, this.#onAbort);
      const carrier = carry(socket);
      this.#begun = begin(
        carrier,
        (secured) => this.#succeed(secured, carrier),
        (error) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  readonly #onAbort = (): void => this.#fail(abortReason(this.#signal));

  /** Node: the TLS engine reports the reason, if it knows one, after the socket has closed. */
  readonly #onClose = (): void => {
    setImmediate(() => {
      const cause = this.#socket.errored;
      const error = new Error("the connection ended before the TLS handshake completed");
      this.#fail(Object.assign(error, { code: "ECONNRESET", ...(cause ? { cause } : {}) }));
    });
  };

  #succeed(secured: tls.TLSSocket, carrier: net.Socket | TlsCarrier): void {
    if (!this.#end("secured")) return;
    if (carrier instanceof TlsCarrier) carrier.follow(secured);
    noteSocketBelow(secured, this.#socket);
    secured.on("error", ignore); // until its transport listens
    this.#settle.resolve(secured);
  }

  #fail(reason: unknown): void {
    if (!this.#end("failed")) return;
    this.#begun?.destroy();
    this.#socket.destroy();
    this.#settle.reject(reason);
  }

  /** @returns false if the handshake has already ended */
  #end(state: "secured" | "failed"): boolean {
    if (this.#state !== "running") return false;
    this.#state = state;
    clearTimeout(this.#timer);
    forgetAborted(this.#signal, this.#onAbort);
    this.#socket.off("close", this.#onClose);
    return true;
  }
}
