/** OpenSSL's program at the other end of a connection: `openssl s_client` and `openssl s_server`. */
import { spawnSync } from "node:child_process";
import type { SocketAddress } from "asyncio-streams";
import { type CertificateName, certificateFile, keyFile } from "../support/certificates.js";
import type { Need } from "../support/needs.js";
import { Piped } from "../support/piped.js";

const program = process.env["OPENSSL"] ?? "openssl";
const found = spawnSync(program, ["version"], { encoding: "utf8" }).stdout ?? "";
/** Options for `it()`: skips the test where the program is missing. */
export const options: Need = {
  skip: found.startsWith("OpenSSL") ? false : "needs OpenSSL's program: name it in OPENSSL",
};

/** The program. */
export class OpenSsl extends Piped {
  constructor(...args: readonly string[]) {
    super([program, ...args]);
  }

  /** A client of a server of ours. */
  static client(address: SocketAddress, ...args: readonly string[]): OpenSsl {
    const where = typeof address === "string" ? ["-unix", address] : ["-connect", `127.0.0.1:${address[1]}`];
    const trusts = ["-CAfile", certificateFile("ca"), "-verify_return_error", "-verify_hostname", "localhost", "-servername", "localhost"];
    return new OpenSsl("s_client", ...where, "-quiet", ...trusts, ...args);
  }
}

/** Its arguments for showing a certificate. */
export function shown(name: CertificateName): string[] {
  return ["-cert", certificateFile(name), "-key", keyFile(name)];
}
