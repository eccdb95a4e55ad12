/**
 * The types of the bytes that this library hands out. Their memory is an `ArrayBuffer`, never a `SharedArrayBuffer`, and the types say so:
 * `crypto.subtle`, `Blob`, `Response` and `WebSocket.send()` refuse bytes that may lie in shared memory.
 *
 * TypeScript: `Buffer<ArrayBuffer>` and `Uint8Array<ArrayBuffer>` exist since 5.7, and `NonSharedBuffer` only in newer `@types/node`. So
 * both types are taken from calls that return them. With older types they are `Buffer` and `Uint8Array`.
 */

/** A `Buffer` whose memory is not shared with other threads. The same type as `NonSharedBuffer` of `node:buffer`. */
export type NonSharedBuffer = ReturnType<typeof Buffer.allocUnsafe>;

/** A `Uint8Array` whose memory is not shared with other threads. The same type as `Uint8Array<ArrayBuffer>`. */
export type NonSharedUint8Array = ReturnType<Uint8Array["slice"]>;
