/** The suite for streams, over TLS in TLS. */
import "../support/leak-guard.js";
import { checkEnding } from "../conformance/ending.js";
import { checkReading } from "../conformance/reading.js";
import { checkWriting } from "../conformance/writing.js";

import { overTls, tcpTls, unixTls } from "../support/tls-kinds.js";

for (const kind of [
  overTls(tcpTls, { begin: "startTls", version: "TLSv1.3" }),
  overTls(unixTls, { begin: "startTls", version: "TLSv1.2" }),
]) {
  for (const check of [checkReading, checkWriting, checkEnding]) check(kind, { halfClose: false });
}
