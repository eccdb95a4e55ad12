/** The options of `StreamReader` and its calls. */
import type { SignalOptions } from "../base/arguments.js";

/** Options of a `StreamReader`. */
export interface StreamReaderOptions {
  /** The longest line, in bytes without its separator, and half of what is buffered before the peer is slowed. Default 65,536. */
  readonly limit?: number | undefined;
}

/** Options of `readline()`. */
export interface ReadlineOptions extends SignalOptions {
  /** The longest line for this call, in bytes without its separator. Default: the reader's limit. */
  readonly limit?: number | undefined;
}

/** Options of `readuntil()`. */
export interface ReaduntilOptions extends ReadlineOptions {
  /** Whether the result ends in its separator. Default true, as in Python. */
  readonly keepSeparator?: boolean | undefined;
}

/** Options of `lines()`. */
export interface LinesOptions extends ReadlineOptions {
  /** Gives strings instead of buffers. Default: buffers. Not UTF-16, which has the byte of a newline inside of other characters. */
  readonly encoding?: BufferEncoding | undefined;
  /** Whether a line ends in its newline. Default false: both `"\n"` and `"\r\n"` are cut off. */
  readonly keepSeparator?: boolean | undefined;
}
