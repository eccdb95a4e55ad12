/**
 * Guards for the functions that a program passes to TLS: `SNICallback`, `ALPNCallback`, `pskCallback` and `checkServerIdentity`.
 *
 * Theory of operation
 *
 * The TLS engine calls these functions in the middle of a handshake, from native code. Node: an exception there is an uncaught exception,
 * and an answer of a wrong type is one, too, or even a segmentation fault. So the engine gets a guard in place of each function. The guard
 * calls the function, checks its answer, and passes only a valid answer to the engine. For an exception, the rejection of an async
 * function or an invalid answer, the engine gets a refusal, and the handshake fails with that error instead of the
 * engine's.
 */
import type tls from "node:tls";
import { types } from "node:util";
import { invalidType, invalidValue, isError, show } from "../base/arguments.js";
import { asError, callForeign } from "../base/errors.js";
import { isNativeContext, isSecureContext, withoutSecrets } from "./tls-contexts.js";

/** The handshake that a guard belongs to. */
export interface GuardedHandshake {
  /** Whether the handshake has ended or is about to fail: a late answer has no effect. */
  isOver(): boolean;
  /**
   * Makes the handshake fail with this error, even if the engine completes it. Runs later, never inside the engine's call.
   *
   * @param provisional whether a later failure may replace this one
   */
  failHook(error: Error, provisional?: boolean): void;
}

type SniCallback = NonNullable<tls.TlsOptions["SNICallback"]>;
type AlpnCallback = (offer: { servername: string; protocols: string[] }) => string | undefined;
type ServerPskCallback = NonNullable<tls.TlsOptions["pskCallback"]>;
type ClientPskCallback = NonNullable<tls.ConnectionOptions["pskCallback"]>;
type IdentityCheck = NonNullable<tls.ConnectionOptions["checkServerIdentity"]>;

/** OpenSSL: `PSK_MAX_PSK_LEN` and `PSK_MAX_IDENTITY_LEN`, in bytes. */
const MAX_PSK_BYTES = 512;
const MAX_PSK_IDENTITY_BYTES = 256;

/** Guards `SNICallback`. Its first answer counts; further ones have no effect. */
export function guardSni(hook: SniCallback, handshake: GuardedHandshake): SniCallback {
  return function guarded(this: unknown, servername, done) {
    let answered = false;
    const refuse = (thrown: unknown): void => {
      if (!answered) handshake.failHook(asError(thrown, "SNICallback failed with"));
      answered = true;
    };
    const answer = (error: unknown, context?: unknown): void => {
      if (answered || handshake.isOver()) return;
      if (error !== null && error !== undefined) refuse(error);
      else if (context === null || context === undefined) done(null);
      else if (isSecureContext(context) || isNativeContext(context)) done(null, context as tls.SecureContext);
      else refuse(invalidType("the answer of SNICallback", "a SecureContext or null", withoutSecrets(context)));
      answered = true;
    };
    callForeign(() => hook.call(this as tls.TLSSocket, servername, answer), refuse);
  };
}

/** Guards `ALPNCallback`. A refusal is the alert `no_application_protocol`. */
export function guardAlpn(hook: AlpnCallback, handshake: GuardedHandshake): AlpnCallback {
  return function guarded(this: unknown, offer) {
    const answer = answerOf(() => hook.call(this, offer), handshake, "ALPNCallback");
    if (answer === undefined || (typeof answer === "string" && offer.protocols.includes(answer))) return answer;
    const allowed = `one of the client's protocols (${offer.protocols.map(show).join(", ")}) or undefined`;
    refuseAnswer(answer, invalidType("the answer of ALPNCallback", allowed, answer), handshake);
    return undefined;
  };
}

/** Guards a server's `pskCallback`. A refusal is `null`: the identity is unknown. */
export function guardServerPsk(hook: ServerPskCallback, handshake: GuardedHandshake): ServerPskCallback {
  return function guarded(this: unknown, socket, identity) {
    const answer = answerOf(() => hook.call(this as tls.Server, socket, identity), handshake, "pskCallback");
    if (answer === null || answer === undefined) return null;
    const { psk } = (ArrayBuffer.isView(answer) ? { psk: answer } : answer) as { readonly psk?: unknown };
    return checkKey(psk, answer, handshake);
  };
}

/** Guards a client's `pskCallback`. A refusal is `null`: no key. */
export function guardClientPsk(hook: ClientPskCallback, handshake: GuardedHandshake): ClientPskCallback {
  return function guarded(this: unknown, hint) {
    const answer = answerOf(() => hook.call(this as tls.TLSSocket, hint), handshake, "pskCallback");
    if (answer === null || answer === undefined) return null;
    const { psk, identity } = answer as { readonly psk?: unknown; readonly identity?: unknown };
    const key = checkKey(psk, answer, handshake);
    if (key === null) return null;
    if (typeof identity === "string" && Buffer.byteLength(identity) <= MAX_PSK_IDENTITY_BYTES) return { psk: key, identity };
    refuseAnswer(answer, invalidType("identity of pskCallback", `text of at most ${MAX_PSK_IDENTITY_BYTES} bytes`, identity), handshake);
    return null;
  };
}

/** Returns a pre-shared key as a `Buffer`, or refuses the answer that has it. The key is not shown. */
function checkKey(psk: unknown, answer: unknown, handshake: GuardedHandshake): Buffer | null {
  if (!ArrayBuffer.isView(psk)) {
    refuseAnswer(answer, invalidType("psk of pskCallback", "a Buffer, a TypedArray or a DataView", typeof psk), handshake);
  } else if (psk.byteLength > MAX_PSK_BYTES) {
    refuseAnswer(answer, invalidValue(`psk of pskCallback has ${psk.byteLength} bytes: at most ${MAX_PSK_BYTES} are allowed`), handshake);
  } else return Buffer.from(psk.buffer, psk.byteOffset, psk.byteLength);
  return null;
}

/**
 * Guards `checkServerIdentity`. It may throw the error instead of returning it. An exception fails the handshake even with
 * `rejectUnauthorized: false`, because the identity was not checked.
 */
export function guardIdentityCheck(hook: IdentityCheck, handshake: GuardedHandshake): IdentityCheck {
  return function guarded(this: unknown, name, shown) {
    let failure: Error | undefined;
    const noteFailure: GuardedHandshake = {
      isOver: () => handshake.isOver(),
      failHook(error, provisional) {
        failure = error;
        handshake.failHook(error, provisional);
      },
    };
    const answer: unknown = answerOf(() => hook.call(this as tls.ConnectionOptions, name, shown), noteFailure, "checkServerIdentity");
    if (failure !== undefined || answer === undefined || answer === null) return failure;
    if (isError(answer)) return answer;
    const error = invalidType("the result of checkServerIdentity", "an Error or undefined", answer);
    refuseAnswer(answer, error, handshake);
    return error;
  };
}

/** Calls a hook and returns its answer; `undefined` if it throws, and the handshake fails. */
function answerOf(call: () => unknown, handshake: GuardedHandshake, name: string): unknown {
  try {
    return call();
  } catch (error) {
    handshake.failHook(asError(error, `${name} threw`));
    return undefined;
  }
}

/**
 * Makes the handshake fail because of an invalid answer. A promise is one, because the engine does not wait for it. If it is rejected
 * already, as that of an async function that throws, the handshake fails with the reason.
 */
function refuseAnswer(answer: unknown, error: Error, handshake: GuardedHandshake): void {
  handshake.failHook(error, types.isPromise(answer));
  callForeign(
    () => answer,
    (reason) => handshake.failHook(asError(reason, "a TLS hook was rejected with")),
  );
}
