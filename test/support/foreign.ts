/** What another realm makes, as a test runner has one for each file; and what looks like bytes and is none. */
import { createContext, runInContext } from "node:vm";

const realm = createContext({});

/** The value of an expression in another realm. */
export function foreign(expression: string): unknown {
  return runInContext(expression, realm);
}

/** What `await` takes for a promise, if `then` is a function. */
export function thenable(then: unknown, target: object = {}): object {
  Reflect.set(target, "then", then);
  return target;
}

/** Bytes of another realm. */
export function foreignBytes(text: string): Uint8Array {
  return foreign(`Uint8Array.of(${[...Buffer.from(text)].join()})`) as Uint8Array;
}

/** Objects that say that they are bytes. */
export function fakes(): Readonly<Record<string, Uint8Array>> {
  const inheriting = Object.create(Uint8Array.prototype) as Uint8Array;
  return {
    "an object with the prototype": Object.setPrototypeOf({}, Uint8Array.prototype) as Uint8Array,
    "an object with the prototype of Buffer": Object.create(Buffer.prototype) as Buffer,
    "one with a length of its own": Object.defineProperty(inheriting, "length", { value: 5000 }),
    "bytes with a length of their own": Object.defineProperty(new Uint8Array(3), "length", { value: 5000 }),
    "a proxy": new Proxy(new Uint8Array(3), {}),
    "other numbers": new Uint16Array(3) as unknown as Uint8Array,
  };
}

/** The signal of a polyfill: `aborted` and its event, neither `reason` nor `throwIfAborted()`. */
export class OldSignal extends EventTarget {
  aborted = false;

  abort(): void {
    this.aborted = true;
    this.dispatchEvent(new Event("abort"));
  }

  /** As what it is taken for. */
  get signal(): AbortSignal {
    return this as unknown as AbortSignal;
  }
}
