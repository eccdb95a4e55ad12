/**
 * `SharedReadSocket`: reading from a socket without a new 64 KiB block of memory for each read, which costs a busy server more than the read itself.
 *
 * Theory of operation
 *
 * Node reads into memory of ours if a socket was made with the `onread` option, and tells how much came. All sockets share one block for that, SCRATCH: what came is copied
 * out before the next read can happen, into an arena of which each chunk takes as much as it needs. So an idle connection holds no memory for reading, and a short message
 * costs a short copy.
 *
 * Where a socket brings much at a time, a copy would cost more than memory: after a read of at least BULK_BYTES the socket reads into blocks of its own, which are handed on as
 * they are, until a read brings little again.
 *
 * What a chunk keeps alive: the arena it lies in, or its block, 64 KiB at most. A chunk's `buffer` (the `ArrayBuffer` behind it) may hold bytes that other connections of the process have
 * received, as Node's own pooled buffers may; the chunk itself shows none of them.
 */
import net from "node:net";

/** As much as Node reads at a time by itself. */
const BLOCK_BYTES = 65_536;
/** From here on a block of its own is cheaper than a copy. */
const BULK_BYTES = 16_384;

const SCRATCH: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);

let arena: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
let arenaUsed = 0;

/** A copy of the first `count` bytes of SCRATCH. */
function copyOut(count: number): Buffer {
  if (arena.length - arenaUsed < count) {
    arena = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    arenaUsed = 0;
  }
  SCRATCH.copy(arena, arenaUsed, 0, count);
  const chunk = arena.subarray(arenaUsed, arenaUsed + count);
  arenaUsed += count;
  return chunk;
}

/** Takes what a socket has read. */
export interface ReadSink {
  handleData(chunk: Buffer): void;
}

/** The reads of one socket: made before the socket, and given its sink when there is one. */
class SharedRead {
  sink: ReadSink | null = null;
  #bulk = false;

  readonly option: net.OnReadOpts = {
    buffer: () => (this.#bulk ? Buffer.allocUnsafeSlow(BLOCK_BYTES) : SCRATCH),
    callback: (count, block) => {
      this.#bulk = count >= BULK_BYTES;
      this.sink?.handleData(block === SCRATCH ? copyOut(count) : (block as Buffer).subarray(0, count));
      return true;
    },
  };
}

/** A socket that has no `data` events: what it reads goes to its sink. */
export class SharedReadSocket extends net.Socket {
  readonly #read: SharedRead;

  constructor(options?: net.SocketConstructorOpts) {
    const read = new SharedRead();
    super({ ...options, onread: read.option } as net.SocketConstructorOpts);
    this.#read = read;
  }

  /** Where the data goes. Has to be set in the turn in which the socket is made, or before it is resumed. */
  set sink(sink: ReadSink) {
    this.#read.sink = sink;
  }
}
