/** The certificates of the TLS tests, made by `scripts/make-certificates.mjs`; if they are missing, it is run. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./repository.js";
import { runtime } from "./runtime.js";

const folder = join(root, "build", "certificates");
if (!existsSync(join(folder, "international.pem"))) {
  const script = join(root, "scripts", "make-certificates.mjs");
  const { status, error } = spawnSync(runtime === "node" ? process.execPath : "node", [script], { stdio: "inherit" });
  if (status !== 0) throw new Error("could not make the certificates", { cause: error });
}

/** What the script makes. `other-ca` signs only `client-of-other-ca`; `self-signed` is signed by nobody; `ca` signs the others. */
export type CertificateName =
  | "ca"
  | "other-ca"
  | "server"
  | "server-rsa"
  | "sni"
  | "wrong-host"
  | "international"
  | "expired"
  | "self-signed"
  | "client"
  | "client-of-other-ca";

/** The path of a certificate, for another program. */
export function certificateFile(name: CertificateName): string {
  return join(folder, `${name}.pem`);
}

/** The path of a certificate's key. */
export function keyFile(name: CertificateName): string {
  return join(folder, `${name}.key.pem`);
}

/** A certificate as PEM. */
export function certificate(name: CertificateName): string {
  return readFileSync(certificateFile(name), "utf8");
}

/** A certificate and its key: `{ cert, key }`, as Node's options have them. */
export function identity(name: CertificateName): { readonly cert: string; readonly key: string } {
  return { cert: certificate(name), key: readFileSync(keyFile(name), "utf8") };
}

/** What a client trusts: `{ ca }`. */
export const trust: { readonly ca: string } = { ca: certificate("ca") };

/** Where they are, for another program. */
export const certificatesFolder: string = folder;
