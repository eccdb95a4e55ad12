/**
 * Creates the certificates of the TLS tests if they are missing: `node scripts/make-certificates.mjs`.
 *
 * Writes them to `build/certificates/`, as `<name>.pem` and `<name>.key.pem`. They are not secret: each clone creates its own.
 */
import "reflect-metadata";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as x509 from "@peculiar/x509";

const DAY_MS = 86_400_000;
/** Long, so that the certificates need not be created again. */
const VALID_DAYS = 30 * 365;

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const RSA = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 };

const LOCAL = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "::1" },
];

/**
 * The certificates. `by`: the certificate whose key signs it, by default its own; `names`: the subject's names, none for a client;
 * `from` and `to`: validity in days from now.
 *
 * @type {readonly {
 *   name: string, by?: string, algorithm?: object, authority?: boolean, names?: typeof LOCAL, from?: number, to?: number
 * }[]}
 */
const CERTIFICATES = [
  { name: "ca", authority: true },
  { name: "other-ca", authority: true },
  { name: "server", by: "ca", names: LOCAL },
  { name: "server-rsa", by: "ca", names: LOCAL, algorithm: RSA },
  { name: "sni", by: "ca", names: [{ type: "dns", value: "sni.example" }] },
  { name: "wrong-host", by: "ca", names: [{ type: "dns", value: "elsewhere.example" }] },
  {
    name: "international",
    by: "ca",
    names: [
      { type: "dns", value: "xn--bcher-kva.test" },
      { type: "ip", value: "fe80::1" },
    ],
  },
  { name: "expired", by: "ca", names: LOCAL, from: -730, to: -365 },
  { name: "self-signed", names: LOCAL },
  { name: "client", by: "ca" },
  { name: "client-of-other-ca", by: "other-ca" },
];

const folder = fileURLToPath(new URL("../build/certificates/", import.meta.url));
const files = CERTIFICATES.flatMap(({ name }) => [`${name}.pem`, `${name}.key.pem`]);
if (!files.every((file) => existsSync(join(folder, file)))) await make();

async function make() {
  mkdirSync(join(folder, ".."), { recursive: true });
  // Written to a temporary folder and renamed as a whole, because several processes may create them at the same time.
  const aside = mkdtempSync(join(folder, "..", "certificates-"));
  const keys = new Map();
  for (const certificate of CERTIFICATES) {
    const { name, by = name, algorithm = EC } = certificate;
    keys.set(name, { ...(await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])), algorithm });
    const signed = await sign(certificate, keys.get(name), by, keys.get(by));
    const key = await crypto.subtle.exportKey("pkcs8", keys.get(name).privateKey);
    writeFileSync(join(aside, `${name}.pem`), `${signed.toString("pem")}\n`);
    writeFileSync(join(aside, `${name}.key.pem`), `${x509.PemConverter.encode(key, "PRIVATE KEY")}\n`, { mode: 0o600 });
  }
  try {
    renameSync(aside, folder);
  } catch {
    // Another process was faster, or an older set exists.
    if (!files.every((file) => existsSync(join(folder, file)))) {
      rmSync(folder, { recursive: true, force: true });
      renameSync(aside, folder);
    } else rmSync(aside, { recursive: true });
  }
}

function sign({ name, authority = false, names, from = -1, to = VALID_DAYS }, { publicKey }, by, signer) {
  return x509.X509CertificateGenerator.create({
    serialNumber: Buffer.from(crypto.getRandomValues(new Uint8Array(16)).fill(1, 0, 1)).toString("hex"),
    subject: `CN=asyncio-streams test: ${name}`,
    issuer: `CN=asyncio-streams test: ${by}`,
    notBefore: new Date(Date.now() + from * DAY_MS),
    notAfter: new Date(Date.now() + to * DAY_MS),
    publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: signer.algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(authority, undefined, true),
      new x509.KeyUsagesExtension(
        authority
          ? x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign
          : x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
        true,
      ),
      ...(authority
        ? []
        : [
            new x509.ExtendedKeyUsageExtension([names === undefined ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth]),
          ]),
      ...(names === undefined ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      new x509.SubjectKeyIdentifierExtension(Buffer.from(name).toString("hex")),
      new x509.AuthorityKeyIdentifierExtension(Buffer.from(by).toString("hex")),
    ],
  });
}
