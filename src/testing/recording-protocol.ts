/** `RecordingProtocol`: a protocol that records its calls. */
import type { NonSharedBuffer } from "../base/bytes.js";
import type { Protocol, Transport } from "../contracts/connection.js";

/** Functions to call in some of the methods, after recording the call. */
export type ProtocolHooks = {
  readonly [Name in keyof Protocol]?: ((...args: Parameters<NonNullable<Protocol[Name]>>) => unknown) | undefined;
};

/**
 * A protocol that records its calls, for tests of transports and of code built on them.
 *
 * @example
 * ```ts
 * import { connectMemory, RecordingProtocol } from "asyncio-streams/testing";
 *
 * const protocol = new RecordingProtocol({ dataReceived: () => protocol.transport.close() });
 * const [peer] = connectMemory(new RecordingProtocol(), protocol);
 * peer.write("enough");
 * await protocol.lost;
 * console.log(protocol.calls); // [ "connectionMade", "dataReceived", "connectionLost" ]
 * ```
 */
export class RecordingProtocol implements Protocol {
  /** The methods called so far. */
  readonly calls: (keyof Protocol)[] = [];
  /** The arguments of `dataReceived()`. */
  readonly chunks: NonSharedBuffer[] = [];
  /** The arguments of `connectionLost()`: one element if the transport is correct. */
  readonly losses: (Error | null)[] = [];
  /** Resolves with the argument of `connectionLost()`: an error or `null`. */
  readonly lost: Promise<Error | null>;
  /** The argument of `connectionMade()`. */
  transport!: Transport;
  readonly #hooks: ProtocolHooks;
  #receivedBytes = 0;
  #onLost!: (error: Error | null) => void;

  /**
   * Makes an unconnected protocol.
   *
   * @param hooks functions to call in some of the methods, which return or throw what the hook does
   */
  constructor(hooks: ProtocolHooks = {}) {
    this.#hooks = hooks;
    this.lost = new Promise((resolve) => {
      this.#onLost = resolve;
    });
  }

  /** All received data in one `Buffer`. */
  get received(): NonSharedBuffer {
    return Buffer.concat(this.chunks);
  }

  /** The number of bytes received. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Whether the connection has been made, even if it has ended. */
  get isConnected(): boolean {
    return this.calls.includes("connectionMade");
  }

  /** The calls, with consecutive calls of `dataReceived()` combined into one, because their number depends on the network. */
  get order(): (keyof Protocol)[] {
    return this.calls.filter((call, index) => call !== "dataReceived" || this.calls[index - 1] !== call);
  }

  connectionMade(transport: Transport): void {
    this.calls.push("connectionMade");
    this.transport = transport;
    this.#hooks.connectionMade?.(transport);
  }

  dataReceived(data: NonSharedBuffer): void {
    this.calls.push("dataReceived");
    this.chunks.push(data);
    this.#receivedBytes += data.length;
    this.#hooks.dataReceived?.(data);
  }

  eofReceived(): boolean | void {
    this.calls.push("eofReceived");
    return this.#hooks.eofReceived?.() as boolean | void;
  }

  connectionLost(error: Error | null): void {
    this.calls.push("connectionLost");
    this.losses.push(error);
    this.#onLost(error);
    this.#hooks.connectionLost?.(error);
  }

  pauseWriting(): void {
    this.calls.push("pauseWriting");
    this.#hooks.pauseWriting?.();
  }

  resumeWriting(): void {
    this.calls.push("resumeWriting");
    this.#hooks.resumeWriting?.();
  }
}
