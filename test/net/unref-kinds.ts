/** The kinds of connection that `unref()` is tried with, in the test and in its child processes. */
import { type Kind, tcp, unix } from "../support/pairs.js";
import { overTls, tcpTls, unixTls } from "../support/tls-kinds.js";

export const unrefKinds: readonly Kind[] = [unix, tcp, unixTls, tcpTls, overTls(tcp, { begin: "startTls", version: "TLSv1.3" })];
