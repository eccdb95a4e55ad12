/** The globals of Node that the streams use: `Buffer`, `process` and `setImmediate`. This module must be loaded before the library. */
import { Buffer } from "buffer/";

/** Receives the warnings that the library emits, such as the error of a client's callback. */
export const warnings = new EventTarget();

globalThis.Buffer = Buffer;
globalThis.process = {
  env: {},
  versions: {},
  // A microtask runs before any timer and any message, which is all that the library asks of a tick.
  nextTick: (callback, ...args) => queueMicrotask(() => callback(...args)),
  emitWarning(warning, options) {
    const detail = typeof warning === "string" ? { name: options?.type ?? "Warning", message: warning, stack: options?.detail } : warning;
    warnings.dispatchEvent(new CustomEvent("warning", { detail }));
  },
};

const immediates = new MessageChannel();
const queue = [];
immediates.port1.addEventListener("message", () => queue.shift()?.());
immediates.port1.start();

/** Calls back in the next turn of the event loop. `setTimeout(callback, 0)` would wait for 4 ms after a few calls. */
globalThis.setImmediate = (callback, ...args) => {
  queue.push(() => callback(...args));
  immediates.port2.postMessage(null);
};
