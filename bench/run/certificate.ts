/** The certificate for "localhost" that scripts/make-certificates.mjs makes: there is no secret in the repository. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** PEM files; `authorityFile` is what a client trusts. */
export interface Certificate {
  readonly keyFile: string;
  readonly certificateFile: string;
  readonly authorityFile: string;
}

const repositoryFile = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

export function makeCertificate(): Certificate {
  execFileSync(process.execPath, [repositoryFile("scripts/make-certificates.mjs")]);
  const [keyFile, certificateFile, authorityFile] = ["server.key.pem", "server.pem", "ca.pem"].map((name) =>
    repositoryFile(`build/certificates/${name}`),
  ) as [string, string, string];
  return { keyFile, certificateFile, authorityFile };
}
