/** The suite for streams, over TLS. One kind of socket to a test file, since each sends hundreds of megabytes. */
import { checkEnding } from "../conformance/ending.js";
import { checkReading } from "../conformance/reading.js";
import { checkWriting } from "../conformance/writing.js";
import type { Kind } from "../support/pairs.js";
import { overTls, type TlsSetting } from "../support/tls-kinds.js";

/** Runs it in both versions. */
export function checkTls(kind: Kind, begin: TlsSetting["begin"]): void {
  for (const version of ["TLSv1.3", "TLSv1.2"] as const) {
    for (const check of [checkReading, checkWriting, checkEnding]) check(overTls(kind, { begin, version }), { halfClose: false });
  }
}
