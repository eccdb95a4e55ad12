/** The address of a Unix socket, as the system expects it. */
import type { UnixPath } from "../net/socket-file/unix-path.js";
import { stableMemory } from "./libc.js";
import { AF_UNIX } from "./system.js";

/** The family in front of the path. */
const FAMILY_BYTES = 2;

/** Makes a `struct sockaddr_un`. A path in the file system ends in a NUL. */
export function addressOf({ file, abstract }: Pick<UnixPath, "file" | "abstract">): Uint8Array {
  const bytes = Buffer.from(file as string);
  const address = stableMemory(FAMILY_BYTES + bytes.length + (abstract ? 0 : 1));
  address[0] = AF_UNIX;
  address.set(bytes, FAMILY_BYTES);
  return address;
}
