/** `loadUnix()`: finds the runtime's foreign function interface, and loads the C library through it. */
import { invalidValue, show } from "../base/arguments.js";
import { UnsupportedError } from "../base/errors.js";
import { checkKnownOptions, type KnownOptions, knownOptions } from "../base/known-options.js";
import { isLinux, platformName } from "../base/platform.js";
import { setCredentialsReader } from "../transports/peer-credentials.js";
import { readPeerCredentials } from "./credentials.js";
import { type FfiName, type Libc, loadBunFfi, loadDenoFfi, loadKoffi, loadNodeFfi } from "./libc.js";
import { setSystem } from "./system.js";

/** Options of `loadUnix()`. */
export interface LoadUnixOptions {
  /**
   * The foreign function interface: `"koffi"` (Node.js and Bun; the package must be installed), `"node:ffi"` (Node.js 26.9, which warns
   * that it is experimental), `"bun:ffi"` or `"Deno.dlopen"`. Default: that of Bun or Deno, otherwise `"koffi"`.
   */
  readonly ffi?: FfiName | undefined;
}

const LOAD_OPTIONS: KnownOptions = knownOptions<LoadUnixOptions>({ ffi: true });

/** What `loadUnix()` has loaded. */
export interface LoadedUnix {
  /** The foreign function interface that is used. */
  readonly ffi: FfiName;
}

const { bun, deno } = process.versions as Readonly<Record<string, string | undefined>>;

/** The interface that is used by default, and the reason for which another one is refused. */
const OWN: FfiName = bun !== undefined ? "bun:ffi" : deno !== undefined ? "Deno.dlopen" : "koffi";

const LOADERS: Readonly<Record<FfiName, () => Libc | Promise<Libc>>> = {
  koffi: loadKoffi,
  "node:ffi": loadNodeFfi,
  "bun:ffi": loadBunFfi,
  "Deno.dlopen": loadDenoFfi,
};

/** What to do if an interface cannot be used. */
const ADVICE: Readonly<Record<FfiName, string>> = {
  koffi: "on Node.js or Bun, install koffi 3.3 or later (npm install koffi); with --permission, allow it with --allow-addons",
  "node:ffi": "use Node.js 26.9 or later; with --permission, allow it with --allow-ffi",
  "bun:ffi": "run the program on Bun",
  "Deno.dlopen": "run the program on Deno with --allow-ffi",
};

/** The architectures whose numbers of socket options and layouts of structures are those of this entry. */
const ARCHITECTURES: ReadonlySet<string> = new Set(["x64", "arm64"]);

let loading: Promise<LoadedUnix> | null = null;

/**
 * Loads what the other functions of this entry need. Call it once, at the start of the program. Further calls return the result of the
 * first one that succeeded.
 *
 * Afterwards, each new connection over a Unix socket has the extra info `"peercred"`, and Unix servers accept the option `authorize`.
 *
 * @param options `ffi`: the foreign function interface; default: `"koffi"` on Node.js, otherwise that of the runtime
 * @returns the name of the interface
 * @throws UnsupportedError if the system is not Linux on x64 or arm64, or the interface is not installed or not allowed; TypeError for a
 *   wrong argument, and if another interface is loaded already
 *
 * @example
 * ```ts
 * await loadUnix();
 * const server = await startUnixServer(serveClient, "/run/app.sock", {
 *   authorize: ({ uid }) => uid === 0 || uid === process.getuid?.(),
 * });
 * ```
 */
export async function loadUnix(options?: LoadUnixOptions): Promise<LoadedUnix> {
  checkKnownOptions("loadUnix", options, LOAD_OPTIONS);
  const ffi = options?.ffi;
  if (ffi !== undefined && !Object.hasOwn(LOADERS, ffi))
    throw invalidValue(`ffi must be one of ${Object.keys(LOADERS).join(", ")}, not ${show(ffi)}`);
  loading ??= load(ffi ?? OWN);
  try {
    const loaded = await loading;
    if (ffi !== undefined && loaded.ffi !== ffi) throw invalidValue(`ffi cannot be changed to ${ffi}: ${loaded.ffi} is loaded`);
    return loaded;
  } catch (error) {
    if (error instanceof UnsupportedError) loading = null;
    throw error;
  }
}

async function load(ffi: FfiName): Promise<LoadedUnix> {
  if (!isLinux() || !ARCHITECTURES.has(process.arch))
    throw new UnsupportedError(`asyncio-streams/unix needs Linux on x64 or arm64: this is ${platformName()}`);
  let libc: Libc;
  try {
    libc = await LOADERS[ffi]();
  } catch (cause) {
    throw new UnsupportedError(`cannot load the C library through ${ffi}: ${ADVICE[ffi]}`, { cause });
  }
  const system = setSystem(libc);
  setCredentialsReader((fd) => readPeerCredentials(system, fd));
  return { ffi };
}
