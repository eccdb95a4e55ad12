/** What the adapters need of a reader and a writer: they stand below the streams, whose methods they are. */
import type { Data, SignalOptions } from "../base/arguments.js";

/** The part of a `StreamReader` that is adapted. */
export interface ReadingEnd {
  read(n: number, options?: SignalOptions): Promise<Buffer>;
  readinto(view: Uint8Array, options?: SignalOptions): Promise<number>;
  unread(data: Data): void;
}

/** The part of a `StreamWriter` that is adapted. */
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
