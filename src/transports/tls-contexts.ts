/**
 * The contexts of TLS: certificates, keys and settings in the parsed form that all handshakes with them share.
 *
 * Theory of operation
 *
 * Creating a `tls.SecureContext` parses certificates and makes the keys of session tickets. It costs about as much as a handshake, and a
 * session can be resumed only with the context that issued it. So each options object gets one context, which is kept for as long as the
 * object lives and used by all calls that get the object: servers, connections and `startTls()`.
 *
 * Changed options. A service that renews its certificate may assign it to the object that it has always passed. The options are compared
 * with those of the kept context at each use. If one has changed, a new context is created. Arrays are compared element by element, and
 * bytes by their contents; other objects by identity.
 *
 * Inherited options. `node:tls` reads an option wherever it is: on the object, on a prototype with defaults, or as a getter of a class. A
 * spread would lose all but the first, for example a `requestCert` that keeps strangers out. So options are read with `allOptions()`.
 */
import type tls from "node:tls";
import { checkFunction, invalidType, invalidValue, isBytes } from "../base/arguments.js";
import type { SSLClient, SSLServer } from "../contracts/extra-info.js";
import { nodeTls } from "./lazy-modules.js";
import { checkKeys } from "./tls-keys.js";

/**
 * The session id context of a server: OpenSSL resumes a session only where this value is the same. OpenSSL: without a value, a server that
 * requests certificates fails each handshake that tries to resume a session. CPython: a constant, "Python".
 */
const SESSION_ID_CONTEXT = "asyncio-streams";

/** The options of a server that concern a handshake, and not the context. */
const HANDSHAKE_OPTIONS = [
  "requestCert",
  "rejectUnauthorized",
  "ALPNProtocols",
  "ALPNCallback",
  "SNICallback",
  "pskCallback",
  "pskIdentityHint",
  "enableTrace",
] as const;

/** Options that are functions. */
const HOOKS = ["ALPNCallback", "SNICallback", "pskCallback"] as const;

type HandshakeOption = (typeof HANDSHAKE_OPTIONS)[number];

/** The options of a server's handshakes that were given. */
export type HandshakeOptions = Partial<Pick<tls.TlsOptions, HandshakeOption>>;

/** What a server needs for its handshakes. */
export interface ServerContext {
  readonly context: tls.SecureContext;
  /** Whether the program made the context. */
  readonly foreign: boolean;
  readonly options: HandshakeOptions;
  /** The options of each `TLSSocket`, made once. */
  readonly engineOptions: tls.TLSSocketOptions;
}

/** The native object in a `SecureContext`. The methods and properties are undocumented, and absent on some runtimes. */
interface NativeContext {
  /** Node: returns `null` if the context has no certificate. */
  getCertificate?(): unknown;
  /** Node: sets the session id context. */
  setSessionIdContext?(id: string): void;
  /** Deno: `undefined` if the context has no certificate. */
  readonly cert?: unknown;
}

// ---- recognizing contexts ------------------------------------------------------------------------------------------------------

let nativePrototype: object | null = null;

/**
 * Whether a value is the native object of a `SecureContext`. Node ends the process if it gets any other object in its place. Deno has plain
 * objects there.
 */
export function isNativeContext(value: unknown): value is NativeContext {
  if (typeof value !== "object" || value === null) return false;
  nativePrototype ??= Object.getPrototypeOf(nodeTls().createSecureContext({ ca: [] }).context) as object;
  return Object.getPrototypeOf(value) === nativePrototype && (nativePrototype !== Object.prototype || "useDefaultCA" in value);
}

/** Whether a value is a `SecureContext`, made by `tls.createSecureContext()`. */
export function isSecureContext(value: unknown): value is tls.SecureContext {
  return typeof value === "object" && value !== null && isNativeContext((value as { readonly context?: unknown }).context);
}

/** Returns the context in `ssl`, or `null` if `ssl` has options for one. */
function contextIn(ssl: object): tls.SecureContext | null {
  if (isSecureContext(ssl)) return ssl;
  const refused = "context" in ssl ? "ssl" : "ssl.secureContext";
  const given: unknown = "context" in ssl ? ssl.context : (ssl as { readonly secureContext?: unknown }).secureContext;
  if (given === undefined && refused !== "ssl") return null;
  if (refused === "ssl" || !isSecureContext(given)) {
    throw invalidType(refused, "a SecureContext of tls.createSecureContext()", withoutSecrets(given));
  }
  return given;
}

/** Describes an object by its keys, for a message that must not contain a passphrase or a private key. */
export function withoutSecrets(value: unknown): unknown {
  return typeof value === "object" && value !== null ? Object.keys(value) : value;
}

// ---- one context for one options object ----------------------------------------------------------------------------------------

type Options = Readonly<Record<string, unknown>>;

/** Returns all options of an object: its own ones, those of its prototypes, and those that are getters or cannot be enumerated. */
export function allOptions<Given extends object>(given: Given): Given {
  const options = new Map<string, unknown>();
  for (
    let owner: object | null = given;
    owner !== null && !isObjectPrototype(owner);
    owner = Object.getPrototypeOf(owner) as object | null
  ) {
    for (const name of Object.getOwnPropertyNames(owner)) {
      if (name !== "constructor" && !options.has(name)) options.set(name, (given as Options)[name]);
    }
  }
  return Object.fromEntries(options) as Given;
}

/** Whether all options of an object are its own enumerable properties, so that they need not be collected. */
function isPlain(given: object): boolean {
  return Object.getPrototypeOf(given) === Object.prototype && Object.getOwnPropertyNames(given).length === Object.keys(given).length;
}

/** Whether an object is `Object.prototype`, of any realm. What a program adds to it is not an option. */
function isObjectPrototype(object: object): boolean {
  return Object.getPrototypeOf(object) === null && Object.hasOwn(object, "hasOwnProperty");
}

/** Keeps what was made of an options object. */
class OptionsCache<Made> {
  readonly #kept: WeakMap<object, { readonly options: Options; readonly made: Made }> = new WeakMap();

  /** Returns what was made of the object, or makes it of its options if it is new or has changed. */
  of<Given extends object>(given: Given, make: (options: Given) => Made): Made {
    const kept = this.#kept.get(given);
    if (kept !== undefined && isPlain(given) && isSame(kept.options, given as Options)) return kept.made;
    const options = allOptions(given);
    if (kept !== undefined && isSame(kept.options, options as Options)) return kept.made;
    const made = make(options);
    this.#kept.set(given, { options: snapshot(options), made });
    return made;
  }
}

function snapshot(given: object): Options {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]));
}

function isSame(before: Options, now: Options): boolean {
  const names = Object.keys(now);
  return names.length === Object.keys(before).length && names.every((name) => isSameValue(before[name], now[name]));
}

function isSameValue(before: unknown, now: unknown): boolean {
  if (before === now) return true;
  if (Array.isArray(before) && Array.isArray(now))
    return before.length === now.length && before.every((one, i) => isSameValue(one, now[i]));
  return isBytes(before) && isBytes(now) && Buffer.compare(before, now) === 0;
}

function newContext(options: tls.SecureContextOptions): tls.SecureContext {
  const context = nodeTls().createSecureContext(options);
  checkKeys(options);
  return context;
}

// ---- clients -------------------------------------------------------------------------------------------------------------------

const clientContexts: OptionsCache<tls.SecureContext> = new OptionsCache();

/** Returns the context of a client. With `true`, each call reads the platform's authorities again, because they can be changed. */
export function clientContext(ssl: SSLClient): tls.SecureContext {
  if (ssl === true) return nodeTls().createSecureContext();
  return contextIn(ssl) ?? clientContexts.of(ssl as tls.ConnectionOptions, newContext);
}

// ---- servers -------------------------------------------------------------------------------------------------------------------

const serverContexts: OptionsCache<ServerContext> = new OptionsCache();

/**
 * Returns the context of a server.
 *
 * @throws TypeError if the server would have neither a certificate nor a pre-shared key; the error of `tls.createSecureContext()` for
 *   invalid options, such as a key that does not match the certificate
 */
export function serverContext(ssl: SSLServer): ServerContext {
  return isSecureContext(ssl) ? makeServerContext(ssl) : serverContexts.of(ssl, makeServerContext);
}

function makeServerContext(ssl: SSLServer): ServerContext {
  const given = contextIn(ssl);
  const options = isSecureContext(ssl) ? {} : handshakeOptions(ssl);
  if (options.SNICallback === undefined && options.pskCallback === undefined) checkIdentity(ssl as tls.TlsOptions, given);
  if (given !== null) return withSessions(asServerContext(given, true, options));
  const { honorCipherOrder = true, sessionIdContext = SESSION_ID_CONTEXT, ...others } = ssl as tls.TlsOptions;
  return asServerContext(newContext({ ...others, honorCipherOrder, sessionIdContext }), false, options);
}

function asServerContext(context: tls.SecureContext, foreign: boolean, options: HandshakeOptions): ServerContext {
  const rejectUnauthorized = options.rejectUnauthorized !== false;
  return { context, foreign, options, engineOptions: { ...options, rejectUnauthorized, isServer: true, secureContext: context } };
}

/** Lets clients of a server that requests certificates resume their sessions, with a context that the program has made. */
function withSessions(made: ServerContext): ServerContext {
  if (made.foreign && made.options.requestCert === true) (made.context.context as NativeContext).setSessionIdContext?.(SESSION_ID_CONTEXT);
  return made;
}

/** Checks the options of a server's handshakes, and returns those that were given. */
function handshakeOptions(ssl: tls.TlsOptions): HandshakeOptions {
  const given = Object.fromEntries(HANDSHAKE_OPTIONS.map((name) => [name, ssl[name]]).filter(([, value]) => value !== undefined));
  for (const name of HOOKS) if (name in given) checkFunction(`ssl.${name}`, given[name]);
  if ("ALPNProtocols" in given) checkProtocols(given["ALPNProtocols"]);
  if ("ALPNProtocols" in given && "ALPNCallback" in given) {
    throw invalidValue("ssl.ALPNCallback and ssl.ALPNProtocols cannot be given at the same time");
  }
  return given;
}

/** Checks `ALPNProtocols`: names, or the names in their form on the wire. */
export function checkProtocols(protocols: unknown): void {
  if (ArrayBuffer.isView(protocols)) return;
  if (!Array.isArray(protocols)) throw invalidType("ssl.ALPNProtocols", "an array of names, or bytes", protocols);
  for (const name of protocols as readonly unknown[]) {
    const length = typeof name === "string" || isBytes(name) ? Buffer.byteLength(name) : 0;
    if (length < 1 || length > 255) throw invalidType("a name in ssl.ALPNProtocols", "text or bytes of 1 to 255 bytes", name);
  }
}

/** Checks that a server has a certificate. Without one, every handshake would fail. */
function checkIdentity(ssl: tls.TlsOptions, context: tls.SecureContext | null): void {
  const { cert, key, pfx, privateKeyIdentifier } = ssl;
  const hasIdentity = context === null ? has(pfx) || (has(cert) && (has(key) || has(privateKeyIdentifier))) : hasCertificate(context);
  if (!hasIdentity)
    throw invalidValue("ssl of a server needs a certificate with its key (cert and key, or pfx), SNICallback or pskCallback");
}

function has(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== "";
}

/** Whether a context has a certificate. If the runtime does not say, it is assumed to have one. */
function hasCertificate({ context }: tls.SecureContext): boolean {
  const native = context as NativeContext;
  return native.getCertificate === undefined ? !("cert" in native) || native.cert !== undefined : native.getCertificate() !== null;
}

/**
 * Returns a server's context after its renewal. Options of the handshake that `ssl` does not have stay in force: renewing a certificate
 * does not let in clients without one.
 */
export function renewedContext({ options }: ServerContext, ssl: SSLServer): ServerContext {
  const renewed = serverContext(ssl);
  const { ALPNProtocols, ALPNCallback, ...others } = options;
  const hasAlpn = "ALPNProtocols" in renewed.options || "ALPNCallback" in renewed.options;
  const alpn = { ...(ALPNProtocols && { ALPNProtocols }), ...(ALPNCallback && { ALPNCallback }) };
  const merged = { ...others, ...(hasAlpn ? {} : alpn), ...renewed.options };
  return withSessions(asServerContext(renewed.context, renewed.foreign, merged));
}
