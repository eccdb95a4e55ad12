/** An `AbortSignal` that tells how many listeners are on it, on every runtime. */

/** A controller whose signal is watched. */
export interface WatchedController {
  readonly signal: AbortSignal;
  /** Listeners that are on the signal now. */
  listeners(): number;
  /** The most there have ever been. */
  peak(): number;
  abort(reason?: unknown): void;
}

/** Counts by wrapping the two methods of one signal: Bun and Deno have no reliable `getEventListeners()`. */
export function watchedController(): WatchedController {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  let peak = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: () => void, options?: EventListenerOptions): void => {
    listeners.add(listener);
    peak = Math.max(peak, listeners.size);
    add(type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: () => void, options?: EventListenerOptions): void => {
    listeners.delete(listener);
    remove(type, listener, options);
  };
  // One that has fired is off the signal, since it was added with `once`.
  add("abort", () => listeners.clear());
  return {
    signal,
    listeners: () => listeners.size,
    peak: () => peak,
    abort: (reason) => controller.abort(reason),
  };
}
