/**
 * Checks the certificates and private keys of TLS options before they are used. A server with an unusable certificate would start, or
 * accept it as a renewal, and then fail every handshake.
 *
 * Node: accepts a key of another type than the certificate's, because a context may have one certificate of each type.
 * Deno: accepts any text as a certificate or a key.
 */
import type { KeyObject } from "node:crypto";
import type tls from "node:tls";
import { invalidValue } from "../base/arguments.js";
import { asError } from "../base/errors.js";
import { nodeCrypto } from "./lazy-modules.js";

type Options = Pick<tls.SecureContextOptions, "cert" | "key" | "passphrase">;

/** Whether the runtime has parsed certificates and keys when a context is created. */
const parses = process.versions["deno"] === undefined;

/**
 * Checks that each certificate has its private key.
 *
 * @throws TypeError if one has not; on Deno, also if a certificate or a key is malformed
 */
export function checkKeys({ cert, key, passphrase }: Options): void {
  const certificates = listOf(cert).flatMap((pem) => parsed("cert", () => new (nodeCrypto().X509Certificate)(pem as Buffer)));
  const keys = listOf(key).flatMap((given) => parsed("key", () => privateKey(given, passphrase)));
  if (keys.length === 0 || keys.length < listOf(key).length) return; // kept elsewhere, or in a form that only the engine reads
  for (const certificate of certificates) {
    if (!keys.some((one) => certificate.checkPrivateKey(one))) throw invalidValue("ssl.key is not the private key of ssl.cert");
  }
}

function listOf(given: unknown): readonly unknown[] {
  if (given === undefined || given === null || given === "") return [];
  return Array.isArray(given) ? given : [given];
}

function privateKey(given: unknown, passphrase: string | null | undefined): KeyObject {
  const { pem, passphrase: own } = Object(given) as { readonly pem?: string; readonly passphrase?: string };
  return nodeCrypto().createPrivateKey({ key: pem ?? (given as string), passphrase: own ?? passphrase ?? undefined, format: "pem" });
}

/** Returns a list of what was parsed; an empty one for what only the TLS engine can read. */
function parsed<T>(name: string, parse: () => T): readonly T[] {
  try {
    return [parse()];
  } catch (error) {
    /* c8 ignore next 4 -- Deno, and forms that only the engine reads */
    if (parses) return [];
    throw invalidValue(`ssl.${name} cannot be used: ${asError(error, "the runtime threw").message}`);
  }
}
