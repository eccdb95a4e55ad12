/** The options of `StreamReader` and its calls. */
import type { SignalOptions } from "../base/arguments.js";
import { type KnownOptions, knownOptions } from "../base/known-options.js";

/** Options of a `StreamReader`. */
export interface StreamReaderOptions {
  /** The longest line, in bytes without its separator, and half of the buffer size above which the peer is slowed. Default 65,536. */
  readonly limit?: number | undefined;
}

/** Options of `readline()`. */
export interface ReadlineOptions extends SignalOptions {
  /** The longest line for this call, in bytes without its separator. Default: the reader's limit. */
  readonly limit?: number | undefined;
}

/** Options of `readuntil()`. */
export interface ReaduntilOptions extends ReadlineOptions {
  /** Whether the result includes its separator. Default true, as in Python. */
  readonly keepSeparator?: boolean | undefined;
}

/** Options of `lines()`. */
export interface LinesOptions extends ReadlineOptions {
  /** Yields strings in this encoding. Default: buffers. UTF-16 is refused, because other characters in it contain the byte of a newline. */
  readonly encoding?: BufferEncoding | undefined;
  /** Whether a line includes its newline. Default false: both `"\n"` and `"\r\n"` are removed. */
  readonly keepSeparator?: boolean | undefined;
}

/* The names of these options. */

export const READER_OPTIONS: KnownOptions = knownOptions<StreamReaderOptions>({ limit: true });

export const READLINE_OPTIONS: KnownOptions = knownOptions<ReadlineOptions>({ signal: true, timeout: true, limit: true });

export const READUNTIL_OPTIONS: KnownOptions = knownOptions<ReaduntilOptions>({
  signal: true,
  timeout: true,
  limit: true,
  keepSeparator: true,
});

export const LINES_OPTIONS: KnownOptions = knownOptions<LinesOptions>({
  signal: true,
  timeout: true,
  limit: true,
  encoding: true,
  keepSeparator: true,
});
