/** A protocol that notes what it is told. */
import type { Protocol, Transport } from "../contracts/connection.js";

/** What is done in some of the methods, beside noting the call. */
export type ProtocolHooks = {
  readonly [Name in keyof Protocol]?: ((...args: Parameters<NonNullable<Protocol[Name]>>) => unknown) | undefined;
};

/**
 * A protocol that notes what it is told: for tests of transports, and of what sits on them.
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
  /** What `dataReceived()` was called with. */
  readonly chunks: Buffer[] = [];
  /** What `connectionLost()` was called with: one element, if all is well. */
  readonly losses: (Error | null)[] = [];
  /** Resolves with the error, or `null`, that `connectionLost()` is called with. */
  readonly lost: Promise<Error | null>;
  /** What `connectionMade()` was called with. */
  transport!: Transport;
  readonly #hooks: ProtocolHooks;
  #receivedBytes = 0;
  #onLost!: (error: Error | null) => void;

  /**
   * Makes one, unconnected.
   *
   * @param hooks what to do in some of the methods; what they return or throw is the method's
   */
  constructor(hooks: ProtocolHooks = {}) {
    this.#hooks = hooks;
    this.lost = new Promise((resolve) => {
      this.#onLost = resolve;
    });
  }

  /** All that has come, in one piece. */
  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** How much has come. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Whether the connection stands, or has stood. */
  get isConnected(): boolean {
    return this.calls.includes("connectionMade");
  }

  /** The calls, those of `dataReceived()` that follow one another as one: how many there are is the network's affair. */
  get order(): (keyof Protocol)[] {
    return this.calls.filter((call, index) => call !== "dataReceived" || this.calls[index - 1] !== call);
  }

  connectionMade(transport: Transport): void {
    this.calls.push("connectionMade");
    this.transport = transport;
    this.#hooks.connectionMade?.(transport);
  }

  dataReceived(data: Buffer): void {
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
