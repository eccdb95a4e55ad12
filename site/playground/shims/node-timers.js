/** `node:timers`, from a browser's timers. A timer has `ref()` and `unref()`, which do nothing: a page does not end by itself. */
class Timer {
  #id;

  constructor(id) {
    this.#id = id;
  }

  cancel() {
    globalThis.clearTimeout(this.#id);
  }

  ref() {
    return this;
  }

  unref() {
    return this;
  }

  hasRef() {
    return true;
  }
}

export default {
  setTimeout: (callback, ms, ...args) => new Timer(globalThis.setTimeout(() => callback(...args), ms)),
  clearTimeout: (timer) => timer?.cancel(),
  setImmediate: (callback, ...args) => globalThis.setImmediate(() => callback(...args)),
};
