/** The parts of a reader and a writer that the adapters use. The adapters implement methods of the streams, and so must not import them. */
import type { Data, SignalOptions } from "../base/arguments.js";

/** The part of a `StreamReader` that the adapters use. */
export interface ReadingEnd {
  read(n: number, options?: SignalOptions): Promise<Buffer>;
  readinto(view: Uint8Array, options?: SignalOptions): Promise<number>;
  unread(data: Data): void;
}

/** The part of a `StreamWriter` that the adapters use. */
export interface WritingEnd {
  write(data: Data): void;
  writelines(list: Iterable<Data>): void;
  flush(): Promise<void>;
  canWriteEof(): boolean;
  writeEof(): void;
  isClosing(): boolean;
  close(): void;
  abort(reason?: Error): void;
  waitClosed(): Promise<void>;
}
