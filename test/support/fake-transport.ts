/** A transport without a socket, for the tests of the streams: it notes what it is told. */
import type { Protocol, Transport, WriteData } from "#src/contracts/connection.js";

export class FakeTransport implements Transport {
  /** The calls so far, by name; `write` with its data. */
  readonly calls: string[] = [];
  readonly extraInfo: Record<string, unknown> = {};
  bufferSize = 0;
  closing = false;
  protocol: Protocol | null = null;

  write(data: WriteData): void {
    this.calls.push(`write ${typeof data === "string" ? data : Buffer.from(data).toString()}`);
  }
  writelines(list: Iterable<WriteData>): void {
    for (const data of list) this.write(data);
  }
  writeEof(): void {
    this.calls.push("writeEof");
  }
  canWriteEof(): boolean {
    return true;
  }
  close(): void {
    this.closing = true;
    this.calls.push("close");
  }
  abort(): void {
    this.closing = true;
    this.calls.push("abort");
  }
  isClosing(): boolean {
    return this.closing;
  }
  pauseReading(): void {
    this.calls.push("pauseReading");
  }
  resumeReading(): void {
    this.calls.push("resumeReading");
  }
  isReading(): boolean {
    return !this.closing;
  }
  setWriteBufferLimits(): void {}
  getWriteBufferLimits(): [number, number] {
    return [16_384, 65_536];
  }
  getWriteBufferSize(): number {
    return this.bufferSize;
  }
  getExtraInfo(name: string, defaultValue: unknown = null): never {
    return (this.extraInfo[name] ?? defaultValue) as never;
  }
  setProtocol(protocol: Protocol): void {
    this.protocol = protocol;
  }
  getProtocol(): Protocol {
    return this.protocol as Protocol;
  }
}
