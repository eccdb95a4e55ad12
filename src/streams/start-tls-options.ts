/** The options of `StreamWriter.startTls()`. */
import type { SignalOptions } from "../base/arguments.js";
import { type KnownOptions, knownOptions } from "../base/known-options.js";
import type { TlsTimeouts } from "../contracts/extra-info.js";

/** Options of `startTls()`. */
export interface StartTlsOptions extends TlsTimeouts, SignalOptions {
  /**
   * The name that a client expects in the server's certificate. Default: the host it is connected to, `"localhost"` for a Unix socket.
   * `""` accepts any name.
   */
  readonly serverHostname?: string | undefined;
}

/** The names of these options. */
export const START_TLS_OPTIONS: KnownOptions = knownOptions<StartTlsOptions>({
  serverHostname: true,
  sslHandshakeTimeout: true,
  sslShutdownTimeout: true,
  signal: true,
  timeout: true,
});
