/**
 * The functions of the C library that this entry calls, over each runtime's foreign function interface (FFI): `koffi` and `node:ffi` on
 * Node, `bun:ffi` on Bun, `Deno.dlopen()` on Deno.
 *
 * A pointer argument is a `Uint8Array` of `stableMemory()`, because memory in the JavaScript heap may move. Arguments of the type `size_t`
 * are passed as pointers would be: 64 bits.
 *
 * Memory whose address lies in other memory must be kept alive by its user: the garbage collector does not see such a reference.
 *
 * Bun, Deno: do not return `errno` with the result. It is read by a second call, before any other code of this thread runs.
 */
import { Worker } from "node:worker_threads";
import { UnsupportedError } from "../base/errors.js";

/** `i`: int; `p`: a pointer or null; `z`: 64 bits. First the result, then the arguments. */
const SIGNATURES = {
  close: "i i",
  connect: "i ipi",
  epoll_create1: "i i",
  epoll_ctl: "i iiip",
  epoll_wait: "i ipii",
  eventfd: "i ii",
  fcntl: "i iii",
  getsockopt: "i iiipp",
  read: "z ipz",
  recvmsg: "z ipi",
  sendmsg: "z ipi",
  setsockopt: "i iiipi",
  shutdown: "i ii",
  socket: "i iii",
  socketpair: "i iiip",
  write: "z ipz",
} as const;

/** The name of a function that can be called. */
type FunctionName = keyof typeof SIGNATURES;

/** A function of the C library. */
type ForeignFunction = (...args: readonly (number | Uint8Array | null)[]) => number;

/** Names of the foreign function interfaces. */
export type FfiName = "koffi" | "node:ffi" | "bun:ffi" | "Deno.dlopen";

/** Waits for events of an epoll descriptor; returns their number, or -1. */
export type WaitForEvents = (epoll: number, events: Uint8Array, maxEvents: number) => Promise<number>;

/** The C library. */
export interface Libc {
  readonly functions: Readonly<Record<FunctionName, ForeignFunction>>;
  /** Returns the error number of the previous call. */
  errno(): number;
  /** Returns the address of memory of `stableMemory()`. */
  addressOf(memory: Uint8Array): bigint;
  /** Calls `epoll_wait()` without a time limit on another thread. Missing if the interface has no threads. */
  readonly waitForEvents?: WaitForEvents | undefined;
  /** The loaded library, which must not be collected. */
  readonly library: unknown;
}

/** Returns memory that does not move. */
export function stableMemory(bytes: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(bytes));
}

/** The name under which the loader of glibc finds the C library; that of musl accepts it, too. */
const LIBRARY = "libc.so.6";

const ERRNO = "__errno_location";

type Signature = readonly [result: string, args: readonly string[]];

/** Makes an object with a property for each function. */
function forEachFunction<T>(make: (name: FunctionName, signature: Signature) => T): Record<FunctionName, T> {
  const entries = Object.entries(SIGNATURES).map(([name, text]) => {
    const [result = "", args = ""] = text.split(" ");
    return [name, make(name as FunctionName, [result, args.split("")])] as const;
  });
  return Object.fromEntries(entries) as Record<FunctionName, T>;
}

/** Returns the names of a signature's types in an interface. */
function typesOf([result, args]: Signature, names: Readonly<Record<string, string>>): [result: string, args: string[]] {
  return [names[result] as string, args.map((one) => names[one] as string)];
}

/** Loads the C library through `koffi`, an optional peer dependency. */
export async function loadKoffi(): Promise<Libc> {
  // Deno: a call of koffi on another thread may never return.
  if (process.versions["deno"] !== undefined) throw new UnsupportedError("koffi is not supported on Deno: use Deno.dlopen");
  const { default: koffi } = await import("koffi");
  const library = koffi.load(LIBRARY);
  const names = { i: "int", p: "void *", z: "intptr_t" };
  const wait = library.func("epoll_wait", ...typesOf(["i", ["i", "p", "i", "i"]], names));
  return {
    functions: forEachFunction((name, signature) => {
      const call = library.func(name, ...typesOf(signature, names)) as (...args: readonly unknown[]) => number | bigint;
      return (...args) => Number(call(...args));
    }),
    errno: () => koffi.errno(),
    addressOf: (memory) => koffi.address(memory),
    waitForEvents: (epoll, events, maxEvents) =>
      new Promise((resolve) => wait.async(epoll, events, maxEvents, -1, (_error: unknown, count: number) => resolve(count))),
    library,
  };
}

/* c8 ignore start -- Node 26, Bun and Deno: the tests run there, too */
/** Wraps a function that takes and returns 64 bits as `bigint`. */
function withBigInts(call: (...args: readonly unknown[]) => unknown, [result, args]: Signature): ForeignFunction {
  if (result !== "z" && !args.includes("z")) return call as ForeignFunction;
  return (...values) => Number(call(...values.map((value, index) => (args[index] === "z" ? BigInt(value as number) : value))));
}

/** What is used of `node:ffi`. */
interface NodeFfi {
  dlopen(
    path: string | null,
    definitions: object,
  ): { readonly functions: Readonly<Record<string, (...args: readonly unknown[]) => unknown>> };
  getInt32(address: unknown): number;
  getRawPointer(memory: Uint8Array): bigint;
}

/** Loads the C library through Node's own interface. */
export function loadNodeFfi(): Libc {
  const ffi = process.getBuiltinModule?.("node:ffi" as "node:fs") as unknown as NodeFfi | undefined;
  if (ffi === undefined) throw new UnsupportedError("node:ffi needs Node.js 26.9 or later: install koffi, or call loadUnix() without ffi");
  const names = { i: "int32", p: "pointer", z: "int64" };
  const definitions = forEachFunction((_name, signature) => {
    const [result, args] = typesOf(signature, names);
    return { return: result, arguments: args };
  });
  const library = ffi.dlopen(null, { ...definitions, [ERRNO]: { return: "pointer", arguments: [] } });
  const { functions } = library;
  const locate = functions[ERRNO] as () => unknown;
  return {
    functions: forEachFunction((name, signature) => withBigInts(functions[name] as () => unknown, signature)),
    errno: () => ffi.getInt32(locate()),
    addressOf: (memory) => ffi.getRawPointer(memory),
    library,
  };
}

/** What is used of `bun:ffi`. */
interface BunFfi {
  dlopen(path: string, definitions: object): { readonly symbols: Readonly<Record<string, (...args: readonly unknown[]) => unknown>> };
  readonly read: { i32(address: unknown): number };
  ptr(memory: Uint8Array): number;
}

/** Loads the C library through Bun's interface. */
export function loadBunFfi(): Libc {
  const ffi = process.getBuiltinModule?.("bun:ffi" as "node:fs") as unknown as BunFfi;
  const names = { i: "i32", p: "ptr", z: "i64_fast" };
  const definitions = forEachFunction((_name, signature) => {
    const [result, args] = typesOf(signature, names);
    return { returns: result, args };
  });
  const library = ffi.dlopen(LIBRARY, { ...definitions, [ERRNO]: { returns: "ptr", args: [] } });
  const { symbols } = library;
  const locate = symbols[ERRNO] as () => unknown;
  return {
    functions: forEachFunction((name) => symbols[name] as ForeignFunction),
    errno: () => ffi.read.i32(locate()),
    addressOf: (memory) => BigInt(ffi.ptr(memory)),
    waitForEvents: waitInWorker((memory) => ffi.ptr(memory)),
    library,
  };
}

/** A thread that waits. Bun: has no asynchronous calls of foreign functions. */
const WAITER = `
const { parentPort } = require("node:worker_threads");
const { dlopen } = require("bun:ffi");
const { symbols } = dlopen("${LIBRARY}", { epoll_wait: { args: ["i32", "ptr", "i32", "i32"], returns: "i32" } });
parentPort.on("message", ([epoll, events, maxEvents]) => parentPort.postMessage(symbols.epoll_wait(epoll, events, maxEvents, -1)));
`;

/** Waits in a worker thread, which keeps the process alive only while it waits. */
function waitInWorker(addressOf: (memory: Uint8Array) => number): WaitForEvents {
  let worker: Worker | null = null;
  let resolveWait: (count: number) => void = () => {};
  return (epoll, events, maxEvents) =>
    new Promise((resolve) => {
      resolveWait = resolve;
      if (worker === null) {
        worker = new Worker(WAITER, { eval: true });
        const one = worker;
        one.on("message", (count: number) => {
          one.unref();
          resolveWait(count);
        });
      }
      worker.ref();
      worker.postMessage([epoll, addressOf(events), maxEvents]);
    });
}

/** What is used of the global `Deno`. */
interface DenoFfi {
  dlopen(path: string, definitions: object): { readonly symbols: Readonly<Record<string, (...args: readonly unknown[]) => unknown>> };
  readonly UnsafePointerView: new (pointer: unknown) => { getInt32(): number };
  readonly UnsafePointer: { of(memory: Uint8Array): unknown; value(pointer: unknown): bigint | number };
}

/** Loads the C library through Deno's interface. */
export function loadDenoFfi(): Libc {
  const { Deno: ffi } = globalThis as unknown as { readonly Deno: DenoFfi };
  const names = { i: "i32", p: "buffer", z: "isize" };
  const definitions = forEachFunction((_name, signature) => {
    const [result, args] = typesOf(signature, names);
    return { result, parameters: args };
  });
  const wait = { ...definitions.epoll_wait, name: "epoll_wait", nonblocking: true };
  const library = ffi.dlopen(LIBRARY, { ...definitions, wait, [ERRNO]: { result: "pointer", parameters: [] } });
  const { symbols } = library;
  const locate = symbols[ERRNO] as () => unknown;
  return {
    functions: forEachFunction((name, signature) => withBigInts(symbols[name] as () => unknown, signature)),
    errno: () => new ffi.UnsafePointerView(locate()).getInt32(),
    addressOf: (memory) => BigInt(ffi.UnsafePointer.value(ffi.UnsafePointer.of(memory))),
    waitForEvents: (epoll, events, maxEvents) => symbols["wait"]?.(epoll, events, maxEvents, -1) as Promise<number>,
    library,
  };
}
/* c8 ignore stop */
