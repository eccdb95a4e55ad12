/**
 * Guards the writes of a socket: a failed write is reported to the wire instead of the stream, which would destroy the socket with all the
 * data that it has received. The socket considers that write to be in progress forever, and reading continues.
 */
import type net from "node:net";

const GUARD: unique symbol = Symbol("guard");

type Done = (error?: Error | null) => void;

/** Receives the failure of a write. */
interface WriteFailureHandler {
  failWriting(error: Error): void;
}

/** The methods that every write of a stream goes through. */
interface WriteMethods {
  _write: (this: net.Socket, chunk: unknown, encoding: BufferEncoding, done: Done) => void;
  /** Missing on some runtimes. */
  _writev: ((this: net.Socket, chunks: { chunk: unknown; encoding: BufferEncoding }[], done: Done) => void) | undefined;
}

interface Guard extends WriteMethods {
  readonly handler: WriteFailureHandler;
}

type GuardedSocket = net.Socket & { [GUARD]?: Guard | undefined };

/** Guards a socket's `_write()` and `_writev()`, which every write of a stream goes through. */
export function guardWrites(socket: GuardedSocket, handler: WriteFailureHandler): void {
  const { _write, _writev } = socket as unknown as WriteMethods;
  socket[GUARD] = { _write, _writev, handler };
  socket._write = guardedWrite;
  if (_writev !== undefined) socket._writev = guardedWritev;
}

/** Lets go of the handler of a closed socket, which writes nothing any more. */
export function forgetGuard(socket: GuardedSocket): void {
  socket[GUARD] = undefined;
}

/* c8 ignore start -- Bun and Deno: on Node, a wire that changes over to TLS is a HandleWire */
/** Gives a socket its own write methods back. */
export function unguardWrites(socket: GuardedSocket): void {
  forgetGuard(socket);
  for (const method of ["_write", "_writev"] as const) delete (socket as Partial<net.Socket>)[method];
}
/* c8 ignore stop */

function guardedWrite(this: GuardedSocket, chunk: unknown, encoding: BufferEncoding, done: Done): void {
  const guard = this[GUARD];
  guard?._write.call(this, chunk, encoding, guarded(guard, done));
}

function guardedWritev(this: GuardedSocket, chunks: { chunk: unknown; encoding: BufferEncoding }[], done: Done): void {
  const guard = this[GUARD];
  guard?._writev?.call(this, chunks, guarded(guard, done));
}

function guarded({ handler }: Guard, done: Done): Done {
  return (error) => (error ? handler.failWriting(error) : done());
}
