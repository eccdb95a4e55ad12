/** The floor of the growth curves: chunks put together with one `Buffer.concat`, without a search, a limit or a check. */
export class BareConcat {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #wanted: { readonly bytes: number; readonly resolve: (message: Buffer) => void } | null = null;

  feedData(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#answer();
  }

  readexactly(bytes: number): Promise<Buffer> {
    return new Promise((resolve) => {
      this.#wanted = { bytes, resolve };
      this.#answer();
    });
  }

  #answer(): void {
    const wanted = this.#wanted;
    if (wanted === null || this.#bytes < wanted.bytes) return;
    const data = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks, this.#bytes);
    this.#bytes -= wanted.bytes;
    this.#chunks = this.#bytes === 0 ? [] : [data.subarray(wanted.bytes)];
    this.#wanted = null;
    wanted.resolve(data.subarray(0, wanted.bytes));
  }
}
