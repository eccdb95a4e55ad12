/**
 * TLS handshakes over a connected socket, in both roles.
 *
 * Theory of operation
 *
 * A socket comes in, connected and paused; what was read ahead has been put back into it. A `tls.TLSSocket` comes out, secured and verified, or the
 * promise rejects with the reason and the socket is destroyed. The time-out is ours in both roles: Node has none for clients.
 *
 * Client: `tls.connect()` over the socket. The name to verify is ours to give, since Node would fall back to "localhost".
 *
 * Server: a `tls.Server` that does not listen, and is handed the socket as a 'connection', which Node documents for that purpose. Everything `tls.createServer()`
 * can be told then works (client certificates, SNI, ALPN, PSK). Its events do not tell which socket they are about, so each handshake has a server to itself;
 * they are kept and used again, because making one means to parse certificates. A bare `SecureContext` needs no such server.
 */
import { randomBytes, X509Certificate } from "node:crypto";
import type net from "node:net";
import { isIP } from "node:net";
import tls from "node:tls";
import { ConnectionTimeoutError } from "../base/errors.js";
import { clearTimeout, setImmediate, setTimeout } from "../base/scheduling.js";
import { abortReason, forgetAborted, onceAborted } from "../base/waiting.js";
import type { SSLClient, SSLServer } from "../contracts/tls.js";
import { carry, TlsCarrier } from "./tls-carrier.js";

/** Node's own time-out, which cannot be switched off: the longest timer there is. */
const NEVER_MS = 2 ** 31 - 1;

/** Servers that are kept for later handshakes. More are made while more handshakes run at once. */
const MAX_IDLE_SERVERS = 8;

/** Length of the keys of session tickets, fixed by Node. */
const TICKET_KEYS_BYTES = 48;

/** Whether this is a `SecureContext`, and not options for making one. */
function isSecureContext(ssl: object): ssl is tls.SecureContext {
  return "context" in ssl;
}

/** Node 22.23: `tls.checkServerIdentity()` compares IPv6 addresses as text, and takes no certificate for "::1", whose address it spells out. */
function checkAddress(address: string, shown: tls.PeerCertificate): Error | undefined {
  const error = tls.checkServerIdentity(address, shown);
  return error === undefined || new X509Certificate(shown.raw).checkIP(address) === undefined ? error : undefined;
}

/** The handshake of a client. */
export class ClientHandshake {
  readonly #options: tls.ConnectionOptions;

  /** @throws what `tls.createSecureContext()` throws for options that do not fit, such as a certificate that is none */
  constructor(ssl: SSLClient, serverHostname: string) {
    const given: tls.ConnectionOptions = ssl === true ? {} : isSecureContext(ssl) ? { secureContext: ssl } : ssl;
    this.#options = {
      checkServerIdentity: isIP(serverHostname) === 6 ? checkAddress : tls.checkServerIdentity,
      ...given,
      secureContext: given.secureContext ?? tls.createSecureContext(given),
      host: serverHostname,
      // An address is verified, but is no name for SNI (Node: DEP0123).
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

  /** @throws what `tls.createServer()` throws for options that do not fit, such as a key that is not the certificate's */
  constructor(ssl: SSLServer) {
    this.#context = isSecureContext(ssl) ? ssl : null;
    // Shared, so that a session may be resumed with another of the servers.
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
    // After a failure it may still tell of the old socket, which a new handshake would take for its own: then it is not used again.
    result.then(release, () => server.removeAllListeners("secureConnection").removeAllListeners("tlsClientError"));
    return result;
  }
}

function unauthorized(reason: Error | string, cause: Error): Error {
  const code = typeof reason === "string" ? reason : reason.message;
  return Object.assign(new Error(`the client's certificate was rejected: ${code}`, { cause }), { code });
}

/** The frame of every handshake: its time-out, its abort, and the end of the socket with it. */
function handshake(
  socket: net.Socket,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  begin: (
    carrier: net.Socket | TlsCarrier,
    onSecured: (secured: tls.TLSSocket) => void,
    onFailed: (error: Error) => void,
  ) => tls.TLSSocket | null,
): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    let over = false;
    let begun: tls.TLSSocket | null = null;
    const finish = (): boolean => {
      if (over) return false;
      over = true;
      clearTimeout(timer);
      forgetAborted(signal, onAbort);
      socket.off("close", onClose);
      return true;
    };
    const fail = (reason: unknown): void => {
      if (!finish()) return;
      begun?.destroy();
      socket.destroy();
      reject(reason);
    };
    const onAbort = (): void => fail(abortReason(signal));
    // The TLS engine says why, where it knows: Node tells of that after the socket's own end.
    const onClose = (): unknown => setImmediate(onEnded);
    const onEnded = (): void =>
      fail(
        Object.assign(new Error("the connection ended before the TLS handshake completed"), {
          code: "ECONNRESET",
          ...(socket.errored ? { cause: socket.errored } : {}),
        }),
      );
    const timer = setTimeout(
      () => fail(new ConnectionTimeoutError(`the TLS handshake took longer than ${timeoutMs} ms: the connection was cut`)),
      timeoutMs,
    );
    // Over TLS a side cannot be ended alone. Node: a TLSSocket inherits this, and does not notice that the peer left during the handshake if it is set.
    (socket as { allowHalfOpen: boolean }).allowHalfOpen = false;
    socket.on("error", ignore);
    socket.on("close", onClose);
    onceAborted(signal, onAbort);
    try {
      const carrier = carry(socket);
      begun = begin(
        carrier,
        (secured) => {
          if (!finish()) return;
          if (carrier instanceof TlsCarrier) carrier.follow(secured);
          secured.on("error", ignore); // until its transport listens
          resolve(secured);
        },
        fail,
      );
    } catch (error) {
      fail(error);
    }
  });
}

/* c8 ignore next -- only where an error comes in the few turns before the real listener is there */
function ignore(): void {}
