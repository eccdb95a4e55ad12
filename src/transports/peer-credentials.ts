/**
 * The hook through which `asyncio-streams/unix` reads credentials. The main entry cannot call the system itself, so the hook is empty until
 * the program calls `loadUnix()`.
 */
import type { PeerCredentials } from "../contracts/extra-info.js";

/** Returns the credentials of the peer of a Unix socket; `null` if the system does not have them. */
export type CredentialsReader = (fd: number) => PeerCredentials | null;

let reader: CredentialsReader | null = null;

/** Makes later connections read the credentials of their peer. */
export function setCredentialsReader(read: CredentialsReader): void {
  reader = read;
}

/** Whether credentials can be read. */
export function canReadCredentials(): boolean {
  return reader !== null;
}

/**
 * Returns the credentials of the peer of a Unix socket; `null` if they are not known.
 *
 * @param fd the descriptor; negative if it is not known, or closed
 */
export function readCredentials(fd: number): PeerCredentials | null {
  return reader === null || fd < 0 ? null : reader(fd);
}
