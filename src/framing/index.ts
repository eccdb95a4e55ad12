/**
 * Messages on streams: length-prefixed frames, `Content-Length` headers, NDJSON, delimiters, netstrings, and custom codecs.
 *
 * @module asyncio-streams/framing
 */
/// <reference types="node" preserve="true" />
export type { FrameCodec, FrameOptions } from "./codec.js";
export { FrameTooLargeError, InvalidFrameError, type InvalidFrameErrorOptions } from "./codec.js";
export { type ContentLengthOptions, contentLength } from "./content-length.js";
export { delimited } from "./delimiter.js";
export { Framed, frameBatches, frames } from "./framed.js";
export { type LengthPrefixedOptions, lengthPrefixed } from "./length-prefixed.js";
export { ndjson } from "./ndjson.js";
export { netstring } from "./netstring.js";
