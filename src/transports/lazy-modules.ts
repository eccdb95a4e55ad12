/**
 * Built-in modules that are loaded when they are first needed: most programs use neither TLS nor files of sockets, and loading the two
 * modules takes as long as loading half of this library.
 */
import type crypto from "node:crypto";
import { createRequire } from "node:module";
import type tls from "node:tls";

interface Modules {
  readonly "node:crypto": typeof crypto;
  readonly "node:tls": typeof tls;
}

/** Node: has `getBuiltinModule()` since 20.16 and 22.3. `createRequire()` needs the name of any file, not of this one. */
function load<Name extends keyof Modules>(name: Name): Modules[Name] {
  const { getBuiltinModule } = process as { readonly getBuiltinModule?: (id: string) => unknown };
  /* c8 ignore next -- one of the two, by the runtime */
  return (getBuiltinModule === undefined ? createRequire(process.execPath)(name) : getBuiltinModule(name)) as Modules[Name];
}

let loadedCrypto: typeof crypto | undefined;
let loadedTls: typeof tls | undefined;

/** Returns `node:crypto`. */
export function nodeCrypto(): typeof crypto {
  loadedCrypto ??= load("node:crypto");
  return loadedCrypto;
}

/** Returns `node:tls`. */
export function nodeTls(): typeof tls {
  loadedTls ??= load("node:tls");
  return loadedTls;
}
