/**
 * A test kit for programs built on asyncio-streams: connections in memory, simulated network faults, a fake clock, and a conformance
 * suite for transports.
 *
 * @module asyncio-streams/testing
 */
/// <reference types="node" preserve="true" />
export type { CleanUp, MakePair, TransportCheck } from "./check-context.js";
export { type CheckResult, type CheckTransportOptions, checkTransport, runChecks } from "./check-transport.js";
export { FakeClock } from "./fake-clock.js";
export { type Hostile, hostile, type Sleeper } from "./hostile.js";
export { connectMemory, type MemoryEnd, type MemoryOptions, type MemoryPairOptions, memoryPair } from "./memory-pair.js";
export { MemoryTransport } from "./memory-transport.js";
export { type ProtocolHooks, RecordingProtocol } from "./recording-protocol.js";
