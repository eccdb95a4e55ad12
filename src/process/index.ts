/**
 * Child processes with streams, and the standard streams of this process: Python's `asyncio.subprocess`.
 *
 * @module asyncio-streams/process
 */
/// <reference types="node" preserve="true" />
export { ProcessLookupError } from "./child-state.js";
export { createSubprocessExec, createSubprocessShell, type ProcessOf } from "./create-subprocess.js";
export type { SubprocessOptions } from "./options.js";
export type { OutputOf, Process } from "./process.js";
export { DEVNULL, PIPE, type PipeOf, type Redirection, STDOUT } from "./redirection.js";
export { connectReadPipe, connectWritePipe, stdio } from "./stdio.js";
