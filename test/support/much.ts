/** More than a socket's own buffers hold on any system, so that who sends it unread has to wait. */
export const MUCH_BYTES = 16 * 1_048_576;

export const MUCH: Buffer = Buffer.alloc(MUCH_BYTES, "x");
