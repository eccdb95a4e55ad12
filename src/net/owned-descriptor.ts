/** `OwnedDescriptor`: what `sock` accepts beside sockets and numbers. `Descriptor` of `asyncio-streams/unix` is one. */

/** An open descriptor that belongs to an object. */
export abstract class OwnedDescriptor {
  /** The number of the descriptor. Throws if the descriptor is closed, or belongs to another owner. */
  abstract readonly fd: number;
  /** Gives up the descriptor: the caller has to close it. Returns its number. */
  abstract detach(): number;
  /** Closes the descriptor. Does nothing if it is closed already. */
  abstract close(): void;
}
