/**
 * TLS handshakes over a connected socket, in both roles.
 *
 * Theory of operation
 *
 * The input is a connected, paused socket; bytes that were read ahead have been put back into it. The result is a secured and verified
 * `tls.TLSSocket`. If the handshake fails, the promise rejects with the reason and the socket is destroyed. The time-out is implemented
 * here for both roles, because Node has none for clients; `null` leaves it to the signal.
 *
 * Client: `tls.connect()` over the socket. The name to verify is always set here, because Node would fall back to "localhost".
 *
 * Server: a `tls.TLSSocket` over the socket, with the context and the options of the handshake. It differs from the one that a `tls.Server`
 * creates in three points, which are handled here with undocumented parts (`ServerSocketInternals`): it emits 'secure', does not check the
 * client's certificate, and ignores errors after the handshake until `_releaseControl()` is called. A `tls.Server` does not accept a
 * `SecureContext`, so each of several servers for handshakes at the same time would parse the certificates again.
 *
 * Names: a name with other letters than those of ASCII is verified in its ASCII form (`xn--...`), and an address without its zone.
 *
 * Hooks of the program: see `tls-hooks.ts`.
 */
import { isIP } from "node:net";
import type tls from "node:tls";
import { domainToASCII } from "node:url";
import { checkFunction, invalidValue, show } from "../base/arguments.js";
import { ConnectionTimeoutError, ignore } from "../base/errors.js";
import { setImmediate } from "../base/scheduling.js";
import { startTimeout, stopTimeout, type Timeout } from "../base/timeouts.js";
import { type AbortSource, abortReason, forgetAborted, onceAborted, type Settle, throwIfAborted } from "../base/waiting.js";
import type { SSLClient, SSLServer } from "../contracts/extra-info.js";
import { nodeCrypto, nodeTls } from "./lazy-modules.js";
import { type Beneath, type Carrier, carry, noteSocketBelow } from "./tls-carrier.js";
import {
  allOptions,
  checkProtocols,
  clientContext,
  type HandshakeOptions,
  isSecureContext,
  renewedContext,
  type ServerContext,
  serverContext,
} from "./tls-contexts.js";
import { type GuardedHandshake, guardAlpn, guardClientPsk, guardIdentityCheck, guardServerPsk, guardSni } from "./tls-hooks.js";

/**
 * Returns a host name in the form that certificates and SNI have, and an address without its zone. The empty name is kept: without a
 * check of the program, it accepts any name.
 *
 * @throws TypeError if no certificate can have the name
 */
function nameToVerify(host: string): string {
  const zone = host.indexOf("%");
  if (zone >= 0 && isIP(host) === 6) return host.slice(0, zone);
  const isAscii = Buffer.byteLength(host) === host.length;
  // RFC 6066: the name in SNI has no dot behind it.
  const name = (isAscii ? host : domainToASCII(host)).replace(/\.$/, "");
  // CPython: refuses a leading dot and NUL, too. Deno: converts names with spaces.
  if ((name === "" && host !== "") || name.startsWith(".") || /\s/.test(name) || name.includes("\0")) {
    throw invalidValue(`the host to verify is not a valid name: ${show(host)}`);
  }
  return name;
}

/**
 * Checks the certificate for an IPv6 address.
 *
 * Node 22.23: `tls.checkServerIdentity()` compares IPv6 addresses as text. It accepts no certificate for "::1", because it spells out the
 * certificate's address.
 */
function checkAddress(address: string, shown: tls.PeerCertificate): Error | undefined {
  const error = nodeTls().checkServerIdentity(address, shown);
  if (error === undefined || shown.raw === undefined) return error; // no certificate, but a pre-shared key
  return new (nodeCrypto().X509Certificate)(shown.raw).checkIP(address) === undefined ? error : undefined;
}

type IdentityCheck = NonNullable<tls.ConnectionOptions["checkServerIdentity"]>;

/** Returns the check of a certificate's name that a client makes unless the program has its own. */
function identityCheck(name: string): IdentityCheck {
  if (name === "") return () => undefined;
  return isIP(name) === 6 ? checkAddress : nodeTls().checkServerIdentity;
}

/** Makes a check of the program see the expected name. Node: passes "localhost" for the empty one. */
function withName(check: IdentityCheck, name: string): IdentityCheck {
  return function named(this: unknown, _name, shown) {
    return check.call(this as tls.ConnectionOptions, name, shown);
  };
}

/** Undocumented parts of a `tls.TLSSocket` in a server's role, which are the same on Node, Bun and Deno. */
interface ServerSocketInternals {
  /** Returns what is wrong with the client's certificate: an error, its code, or nothing. */
  readonly ssl?: { verifyError?(): Error | string | null | undefined } | null;
  /** From now on, errors are emitted and end the connection. */
  _releaseControl?(): void;
}

/** The handshake of a client. */
export class ClientHandshake {
  readonly #options: tls.ConnectionOptions;
  readonly #checkIdentity: IdentityCheck;
  readonly #pskCallback: tls.ConnectionOptions["pskCallback"];

  /**
   * @throws TypeError for an invalid name or hook; the error of `tls.createSecureContext()` for invalid options, such as a malformed
   *   certificate
   */
  constructor(ssl: SSLClient, serverHostname: string) {
    const given: tls.ConnectionOptions = ssl === true || isSecureContext(ssl) ? {} : allOptions(ssl);
    const { checkServerIdentity, pskCallback, ALPNProtocols } = given;
    if (checkServerIdentity !== undefined) checkFunction("ssl.checkServerIdentity", checkServerIdentity);
    if (pskCallback !== undefined) checkFunction("ssl.pskCallback", pskCallback);
    if (ALPNProtocols !== undefined) checkProtocols(ALPNProtocols);
    const name = nameToVerify(serverHostname);
    const isAddress = isIP(name) !== 0;
    this.#checkIdentity = checkServerIdentity === undefined ? identityCheck(name) : withName(checkServerIdentity, name);
    this.#pskCallback = pskCallback;
    // An address is verified, but is not valid as an SNI name (Node: DEP0123).
    this.#options = { ...given, secureContext: clientContext(ssl), host: name, servername: isAddress ? "" : name };
  }

  secure(socket: Beneath, timeoutMs: number | null, signal?: AbortSource): Promise<tls.TLSSocket> {
    return handshake(socket, timeoutMs, signal, (carrier, running) => {
      const secured = nodeTls().connect({
        ...this.#options,
        checkServerIdentity: guardIdentityCheck(this.#checkIdentity, running),
        ...(this.#pskCallback && { pskCallback: guardClientPsk(this.#pskCallback, running) }),
        socket: carrier,
      });
      secured.once("secureConnect", () => running.succeed(secured));
      secured.on("error", (error) => running.failTls(error));
      return secured;
    });
  }
}

/** The handshakes of a server, all with the same configuration. */
export class ServerHandshakes {
  readonly #server: ServerContext;

  /**
   * @param renewed the handshakes that these replace, from which the options of the handshake are taken that `ssl` does not have
   * @throws TypeError if there is neither a certificate nor a pre-shared key; the error of `tls.createSecureContext()` for invalid
   *   options, such as a key that does not match the certificate
   */
  constructor(ssl: SSLServer, renewed?: ServerHandshakes) {
    this.#server = renewed === undefined ? serverContext(ssl) : renewedContext(renewed.#server, ssl);
  }

  secure(socket: Beneath, timeoutMs: number | null, signal?: AbortSource): Promise<tls.TLSSocket> {
    const { options, engineOptions } = this.#server;
    return handshake(socket, timeoutMs, signal, (carrier, running) => {
      const secured = new (nodeTls().TLSSocket)(carrier, guardHooks(engineOptions, running));
      secured.once("secure", () => {
        const refusal = options.requestCert === true ? verify(secured, options) : null;
        (secured as ServerSocketInternals)._releaseControl?.();
        if (refusal === null) running.succeed(secured);
        else running.failTls(refusal);
      });
      secured.on("error", (error) => {
        running.failTls(secured.authorizationError ? unauthorized(secured.authorizationError, error) : error);
      });
      return secured;
    });
  }
}

/** Returns the options of a server's `TLSSocket`, with a guard in place of each hook. */
function guardHooks(options: tls.TLSSocketOptions, running: GuardedHandshake): tls.TLSSocketOptions {
  const { SNICallback, ALPNCallback, pskCallback } = options as HandshakeOptions;
  if (SNICallback === undefined && ALPNCallback === undefined && pskCallback === undefined) return options;
  return {
    ...options,
    ...(SNICallback && { SNICallback: guardSni(SNICallback, running) }),
    ...(ALPNCallback && { ALPNCallback: guardAlpn(ALPNCallback, running) }),
    ...(pskCallback && { pskCallback: guardServerPsk(pskCallback, running) }),
  };
}

/** Verifies a client's certificate, and notes the result on the socket as a `tls.Server` does. Returns the error if it is refused. */
function verify(secured: tls.TLSSocket, options: HandshakeOptions): Error | null {
  const { ssl } = secured as ServerSocketInternals;
  const found = typeof ssl?.verifyError === "function" ? ssl.verifyError() || null : "ERR_TLS_CERT_NOT_VERIFIED";
  // Node: a session that was resumed with TLS 1.3 counts as verified, even if it began with another server of the context, which had not
  // requested a certificate. With pskCallback, a client need not have one.
  const certificate = secured.getPeerCertificate() as Partial<tls.PeerCertificate> | null;
  const isMissing = certificate?.raw === undefined;
  const reason = found ?? (isMissing ? "UNABLE_TO_GET_ISSUER_CERT" : null);
  secured.authorized = reason === null;
  if (reason === null) return null;
  const error = unauthorized(reason, typeof reason === "string" ? undefined : reason);
  secured.authorizationError = error.code as never; // as Node does, whatever its types say
  if (options.rejectUnauthorized === false || (found === null && options.pskCallback !== undefined)) return null;
  return error;
}

function unauthorized(reason: Error | string, cause: Error | undefined): Error & { readonly code: string } {
  const code = typeof reason === "string" ? reason : ((reason as NodeJS.ErrnoException).code ?? reason.message);
  return Object.assign(new Error(`the client's certificate was rejected: ${code}`, { cause }), { code });
}

/** Starts a handshake: creates the `TLSSocket`, and reports its events to `running`. */
type Begin = (carrier: Carrier, running: Handshake) => tls.TLSSocket;

function handshake(socket: Beneath, timeoutMs: number | null, signal: AbortSource | undefined, begin: Begin): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => new Handshake(socket, timeoutMs, signal, { resolve, reject }).run(begin));
}

/**
 * One handshake: limits its time, lets a signal abort it, and notices the end of the socket beneath it. A handshake that fails destroys
 * both sockets.
 *
 * Failures that TLS or a hook reports take effect in a later turn. Node: they are reported from inside the TLS engine, and destroying the
 * socket there is a segmentation fault.
 */
class Handshake implements GuardedHandshake {
  readonly #socket: Beneath;
  readonly #signal: AbortSource | undefined;
  readonly #settle: Settle<tls.TLSSocket>;
  readonly #timer: Timeout | undefined;
  #state: "running" | "failing" | "secured" | "failed" = "running";
  /** The reason of a failing handshake. */
  #reason: unknown;
  /** Whether a hook may still report a better reason. */
  #provisional = false;
  #carrier: Carrier | null = null;
  #begun: tls.TLSSocket | null = null;

  constructor(socket: Beneath, timeoutMs: number | null, signal: AbortSource | undefined, settle: Settle<tls.TLSSocket>) {
    this.#socket = socket;
    this.#signal = signal;
    this.#settle = settle;
    if (timeoutMs === null) return;
    this.#timer = startTimeout(timeoutMs, () => {
      this.#fail(new ConnectionTimeoutError(`the TLS handshake took longer than ${timeoutMs} ms: the connection was cut`));
    });
  }

  run(begin: Begin): void {
    const socket = this.#socket;
    // Half-close is not supported over TLS. Node: a TLSSocket inherits this flag. If it is set, the TLSSocket does not notice that the peer
    // left during the handshake.
    (socket as { allowHalfOpen: boolean }).allowHalfOpen = false;
    socket.on("error", ignore).on("close", this.#onClose);
    try {
      throwIfAborted(this.#signal); // the socket has just connected
      onceAborted(this.#signal, this.#onAbort);
      this.#carrier = carry(socket);
      this.#begun = begin(this.#carrier, this);
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
      this.failTls(Object.assign(error, { code: "ECONNRESET", ...(cause ? { cause } : {}) }));
    });
  };

  isOver(): boolean {
    return this.#state !== "running";
  }

  succeed(secured: tls.TLSSocket): void {
    if (this.#state !== "running") return;
    this.#end("secured");
    if (this.#carrier !== null && "follow" in this.#carrier) this.#carrier.follow(secured);
    noteSocketBelow(secured, this.#socket);
    this.#settle.resolve(secured);
  }

  /** Fails with an error that TLS has reported. */
  failTls(reason: unknown): void {
    if (this.#state !== "running") return;
    this.#state = "failing";
    this.#reason = reason;
    setImmediate(() => this.#fail(this.#reason));
  }

  failHook(error: Error, provisional: boolean = false): void {
    if (this.#state !== "running" && !(this.#state === "failing" && this.#provisional)) return;
    if (this.#state === "running") this.failTls(error);
    else this.#reason = error;
    this.#provisional = provisional;
  }

  #fail(reason: unknown): void {
    if (this.#state !== "running" && this.#state !== "failing") return;
    const known = this.#state === "failing" ? this.#reason : reason;
    this.#end("failed");
    this.#begun?.destroy();
    this.#socket.destroy();
    this.#settle.reject(known);
  }

  #end(state: "secured" | "failed"): void {
    this.#state = state;
    stopTimeout(this.#timer);
    forgetAborted(this.#signal, this.#onAbort);
    this.#socket.off("close", this.#onClose);
  }
}
