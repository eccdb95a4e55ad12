/** The errors of framing: a frame that is too large, and an invalid frame. */

/**
 * A frame is larger than the codec's maximum. Thrown when its size is known, before memory is allocated for it.
 *
 * Nothing of the frame is consumed, so the next read throws the same error again. Close the connection, unless the program can skip the
 * frame.
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
   * The size of the frame in bytes. With a length, the announced size, rounded if it exceeds the safe integers. With a delimiter, the
   * number of bytes searched before giving up.
   */
  readonly size: number;
  /** The maximum size of a frame in bytes. */
  readonly maximum: number;

  /**
   * Makes the error.
   *
   * @param message describes the frame that is too large
   * @param size the size of the frame in bytes
   * @param maximum the maximum size of a frame in bytes
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
  /** The number of the invalid line, from 1. */
  readonly line?: number | undefined;
}

/**
 * The received data is not a frame of the codec, for example a length in a form that is not allowed, or a line that is not JSON.
 *
 * An invalid line of NDJSON is consumed, and the next read returns the next line. The other codecs consume nothing, because the
 * beginning of the next frame is unknown: close the connection.
 */
export class InvalidFrameError extends Error {
  static {
    Object.defineProperty(InvalidFrameError.prototype, "name", { value: "InvalidFrameError", configurable: true, writable: true });
  }

  /** Always `"ERR_INVALID_FRAME"`. */
  readonly code = "ERR_INVALID_FRAME";
  /** The position of the frame: the number of bytes read from the reader before it. */
  readonly offset: number;
  /** NDJSON: the number of the line, from 1, counted from the codec's first use on the reader. `null` for other codecs. */
  readonly line: number | null;

  /**
   * Makes the error.
   *
   * @param message describes what is invalid
   * @param offset the number of bytes read before the frame
   * @param options `line` of NDJSON; `cause`, as for every `Error`
   */
  constructor(message: string, offset: number, options?: InvalidFrameErrorOptions) {
    super(message, options);
    this.offset = offset;
    this.line = options?.line ?? null;
  }
}
