/** Clients from npm, each with a connection of this library in place of its socket. `scripts/install-interop-clients.mjs` installs them. */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { openUnixConnection, toDuplex } from "asyncio-streams";
import { root } from "../support/repository.js";

const load = createRequire(join(root, "build", "clients", "node_modules", "index.js"));

/** Loads a client. Its type is what a test uses of it. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function clientOf<Client>(name: string): Client {
  return load(name) as Client;
}

/** Connects to a Unix socket; returns the connection as what clients expect. */
export async function connectedDuplex(path: string): Promise<Duplex> {
  return toDuplex(...(await openUnixConnection(path)));
}
