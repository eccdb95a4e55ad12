/**
 * What a program in the playground can import: the part of the library that needs no system. It is taken from the files of the library and
 * not from its entries, which also load sockets.
 */
import * as errors from "../../dist/base/errors.js";
import { BaseProtocol } from "../../dist/contracts/connection.js";
import { copy, relay } from "../../dist/copy.js";
import * as framing from "../../dist/framing/index.js";
import { StreamReaderProtocol } from "../../dist/streams/protocol.js";
import { StreamReader } from "../../dist/streams/reader.js";
import { StreamWriter } from "../../dist/streams/writer.js";
import { FakeClock } from "../../dist/testing/fake-clock.js";
import { hostile } from "../../dist/testing/hostile.js";
import { connectMemory, memoryPair } from "../../dist/testing/memory-pair.js";
import { RecordingProtocol } from "../../dist/testing/recording-protocol.js";

const classes = Object.entries(errors).filter(([name]) => name.endsWith("Error") && /^[A-Z]/.test(name));

/** The modules by name; `trace` wraps `memoryPair()`. */
export const modulesWith = (trace) => ({
  "asyncio-streams": { ...Object.fromEntries(classes), BaseProtocol, copy, relay, StreamReader, StreamReaderProtocol, StreamWriter },
  "asyncio-streams/framing": framing,
  "asyncio-streams/testing": { connectMemory, FakeClock, hostile, memoryPair: trace(memoryPair), RecordingProtocol },
});
