/** The two errors of framing: a frame that is larger than it may be, and one that is broken. */

/**
 * A frame is larger than the codec's maximum. Thrown when its size is known and before memory is taken for it.
 *
 * Nothing of the frame is consumed, so that the same call gives the same error again. Close the connection, unless you know how to get past it.
 *
 * @example
 * ```ts
 * try {
 *   frame = await codec.readFrame(reader);
 * } catch (error) {
 *   if (error instanceof FrameTooLargeError) writer.write(`413 ${error.size} bytes, at most ${error.maximum}\n`);
 *   throw error;
 * }
 * ```
 */
export class FrameTooLargeError extends Error {
  static {
    Object.defineProperty(FrameTooLargeError.prototype, "name", { value: "FrameTooLargeError", configurable: true, writable: true });
  }

  /** Always `"ERR_FRAME_TOO_LARGE"`. */
  readonly code = "ERR_FRAME_TOO_LARGE";
  /**
   * Bytes of the frame: what was announced, as near as a number can hold it; where a delimiter was looked for, what was seen before it was given up.
   */
  readonly size: number;
  /** The most bytes that a frame may have. */
  readonly maximum: number;

  /**
   * Makes one.
   *
   * @param message what was too large
   * @param size bytes of the frame
   * @param maximum the most bytes that a frame may have
   * @param options `cause`, as for every `Error`
   */
  constructor(message: string, size: number, maximum: number, options?: ErrorOptions) {
    super(message, options);
    this.size = size;
    this.maximum = maximum;
  }
}

/** Options of an `InvalidFrameError`. */
export interface InvalidFrameErrorOptions extends ErrorOptions {
  /** The line that is broken, from 1. */
  readonly line?: number | undefined;
}

/**
 * What came is not a frame of the codec: a length in a form that is not allowed, a line that is no JSON.
 *
 * A broken line of NDJSON has been consumed, and the next read gives the next line. The other codecs consume nothing, because nobody can tell where the next
 * frame begins: close the connection.
 */
export class InvalidFrameError extends Error {
  static {
    Object.defineProperty(InvalidFrameError.prototype, "name", { value: "InvalidFrameError", configurable: true, writable: true });
  }

  /** Always `"ERR_INVALID_FRAME"`. */
  readonly code = "ERR_INVALID_FRAME";
  /** Where the frame begins: how many bytes had been read from the reader before it. */
  readonly offset: number;
  /** NDJSON: the line, from 1, counted from where the codec was first used on the reader. `null` for other codecs. */
  readonly line: number | null;

  /**
   * Makes one.
   *
   * @param message what is broken
   * @param offset bytes that were read before the frame
   * @param options `line` of NDJSON; `cause`, as for every `Error`
   */
  constructor(message: string, offset: number, options?: InvalidFrameErrorOptions) {
    super(message, options);
    this.offset = offset;
    this.line = options?.line ?? null;
  }
}
