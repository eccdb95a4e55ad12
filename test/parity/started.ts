/** The calls that a script has started and has not waited for, by the names that it gave them. */

interface Call<T> {
  readonly outcome: Promise<T>;
  readonly controller: AbortController;
  ended: boolean;
}

export class Started<T> {
  readonly #calls = new Map<string, Call<T>>();

  /** Starts one. A name that is used again means the later one. */
  start(name: string, begin: (signal: AbortSignal) => Promise<T>): void {
    const controller = new AbortController();
    const onEnd = (): void => {
      call.ended = true;
    };
    const call: Call<T> = { controller, ended: false, outcome: begin(controller.signal).finally(onEnd) };
    this.#calls.set(name, call);
  }

  /** What comes of it. */
  outcome(name: string): Promise<T> {
    return this.#named(name).outcome;
  }

  hasEnded(name: string): boolean {
    return this.#named(name).ended;
  }

  cancel(name: string): void {
    this.#named(name).controller.abort();
  }

  /** Waits for all of them. */
  async end(): Promise<void> {
    for (const { outcome } of this.#calls.values()) await outcome;
  }

  #named(name: string): Call<T> {
    const call = this.#calls.get(name);
    if (call === undefined) throw new Error(`nothing was started as ${name}`);
    return call;
  }
}
