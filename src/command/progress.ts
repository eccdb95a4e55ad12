/** The progress of a long transfer, as one line on a terminal that is written again and again, and removed at the end. */

/** A short transfer shows no progress. */
const FIRST_MS = 1_000;
const EVERY_MS = 250;

const UNITS = ["KiB", "MiB", "GiB", "TiB"] as const;

/** Returns a number of bytes in a unit that suits it. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
  let value = bytes / 1024;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return `${value.toFixed(1)} ${UNITS[unit] as string}`;
}

export class Progress {
  sent = 0;
  received = 0;
  readonly #terminal: NodeJS.WriteStream;
  readonly #begun = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #isShown = false;
  #last: { readonly at: number; readonly total: number } = { at: this.#begun, total: 0 };

  /**
   * @param terminal where to show the progress
   * @param isWanted false to only count
   */
  constructor(terminal: NodeJS.WriteStream, isWanted: boolean) {
    this.#terminal = terminal;
    if (isWanted) this.#timer = setTimeout(() => this.#begin(), FIRST_MS);
  }

  #begin(): void {
    this.#show();
    this.#timer = setInterval(() => this.#show(), EVERY_MS);
  }

  #show(): void {
    const now = performance.now();
    const total = this.sent + this.received;
    const rate = (total - this.#last.total) / ((now - this.#last.at) / 1000);
    this.#last = { at: now, total };
    const seconds = Math.floor((now - this.#begun) / 1000);
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    this.#terminal.write(`\r\x1b[K${size(this.sent)} sent, ${size(this.received)} received, ${size(Math.round(rate))}/s, ${clock}`);
    this.#isShown = true;
  }

  /** Removes the line. */
  end(): void {
    clearInterval(this.#timer);
    if (this.#isShown) this.#terminal.write("\r\x1b[K");
  }
}
