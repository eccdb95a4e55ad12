/**
 * A transport for the Model Context Protocol over any pair of streams: a Unix socket, TCP, TLS, or the pipes of a child process.
 *
 * Run it: node build/examples/mcp-client.js, which imports it
 * You will see: the output of mcp-client.ts. This file prints nothing.
 */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import type { StreamReader, StreamWriter } from "asyncio-streams";
import { Framed, ndjson } from "asyncio-streams/framing";

/** A message may have 64 MiB. The peer's connection ends if it sends more. */
const codec = ndjson<JSONRPCMessage>({ maxFrameSize: 64 * 1_048_576 });

/** One connection of an MCP client or server. */
export class StreamTransport extends Framed<JSONRPCMessage> implements Transport {
  onmessage?: Transport["onmessage"];
  onerror?: Transport["onerror"];
  onclose?: Transport["onclose"];

  constructor(reader: StreamReader, writer: StreamWriter) {
    super(reader, writer, codec);
  }

  async start(): Promise<void> {
    void this.#receive();
  }

  /** Resolves when the peer has taken enough: a caller that waits cannot fill the memory with messages for a slow peer. */
  async send(message: JSONRPCMessage): Promise<void> {
    this.writeFrame(message);
    await this.drain();
  }

  async close(): Promise<void> {
    await this.reader.cancel();
    this.writer.close();
    await this.writer.waitClosed();
  }

  async #receive(): Promise<void> {
    try {
      for await (const message of this) this.onmessage?.(message);
    } catch (error) {
      this.onerror?.(error as Error);
    }
    await this.close().catch((error: Error) => this.onerror?.(error));
    this.onclose?.();
  }
}
