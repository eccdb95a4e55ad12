/** A relay between a client and a server that knows nothing of TLS: it counts bytes, and stops where it is told. */
import { once } from "node:events";
import net from "node:net";
import type { SocketAddress } from "asyncio-streams";
import { addressOf, dial } from "./addresses.js";
import { socketPath } from "./temporary.js";

/** How a lane stops: it passes on an end, tears the connection down, or falls silent. */
export type Stop = "end" | "reset" | "silence";

/** One direction of a relayed connection. */
export class Lane {
  readonly #from: net.Socket;
  readonly #to: net.Socket;
  #left: number;
  #stop: Stop;
  #stopped = false;
  #keptOpen = false;
  #held: Buffer = Buffer.alloc(0);
  /** How much is passed on at once, while what comes is held. */
  #gate: { readonly least: number; readonly most: number } | null = null;
  /** Bytes passed on so far. */
  passed = 0;
  /** What that was after each packet. */
  readonly packetEnds: number[] = [];

  constructor(from: net.Socket, to: net.Socket, { after, stop }: { readonly after: number; readonly stop: Stop }) {
    this.#from = from;
    this.#to = to;
    this.#left = after;
    this.#stop = stop;
    from.on("data", (chunk: Buffer) => this.#pass(chunk));
    from.on("end", () => this.#stopped || this.#keptOpen || to.end());
    from.on("close", () => this.#stopped || this.#keptOpen || to.destroySoon());
    if (after === 0) this.stop(stop);
  }

  #pass(chunk: Buffer): void {
    if (this.#stopped) return;
    const part = chunk.subarray(0, this.#left);
    this.#left -= part.length;
    if (this.#gate === null) this.#write(part);
    else {
      this.#held = Buffer.concat([this.#held, part]);
      const { least, most } = this.#gate;
      if (this.#held.length >= least) {
        const packet = this.#held.subarray(0, most);
        this.#held = this.#held.subarray(packet.length);
        this.#gate = most === Infinity ? null : { least: Infinity, most: Infinity };
        this.#write(packet);
      }
    }
    if (this.#left === 0) this.stop(this.#stop);
  }

  #write(part: Buffer): void {
    this.passed += part.length;
    this.packetEnds.push(this.passed);
    if (part.length > 0 && !this.#to.write(part)) {
      this.#from.pause();
      this.#to.once("drain", () => this.#from.resume());
    }
  }

  /** Holds back what comes, until there is at least so much, which then goes on in one packet. With `most`, no more than that, before `release()`. */
  gather(least: number, most: number = Infinity): void {
    this.#gate = { least, most };
  }

  /** Slips in bytes that nobody sent. */
  inject(bytes: Buffer): void {
    this.#write(bytes);
  }

  /** Passes on what is held back. */
  release(): void {
    this.#gate = null;
    this.#write(this.#held);
  }

  /** Passes all bytes on, but not the end. */
  keepOpen(): void {
    this.#keptOpen = true;
  }

  /** Stops after that many further bytes. */
  stopAfter(bytes: number, stop: Stop): void {
    this.#left = bytes;
    this.#stop = stop;
  }

  /** Passes nothing on any more, after this; not even the end. */
  stop(stop: Stop): void {
    this.#stopped = true;
    if (stop === "end") this.#to.end();
    else if (stop === "reset" && this.#to.remoteFamily !== undefined) this.#to.resetAndDestroy();
    else if (stop === "reset") this.#to.destroy();
  }
}

/** A relayed connection. */
export interface Link {
  readonly toServer: Lane;
  readonly toClient: Lane;
}

/** Where to stop by itself: after so many bytes in that direction. */
export interface RelayPlan {
  readonly toServer?: { readonly after: number; readonly stop: Stop };
  readonly toClient?: { readonly after: number; readonly stop: Stop };
}

const NEVER = { after: Infinity, stop: "silence" } as const;

export class Relay implements AsyncDisposable {
  readonly #server: net.Server = net.createServer({ allowHalfOpen: true });
  readonly #sockets: net.Socket[] = [];
  /** The connections so far. */
  readonly links: Link[] = [];

  private constructor(target: SocketAddress, plan: RelayPlan) {
    this.#server.on("connection", (client) => {
      const server = net.connect({ ...dial(target), allowHalfOpen: true });
      for (const socket of [client, server]) this.#sockets.push(socket.on("error", () => {}));
      this.links.push({
        toServer: new Lane(client, server, plan.toServer ?? NEVER),
        toClient: new Lane(server, client, plan.toClient ?? NEVER),
      });
    });
  }

  /** Relays to a server, over the same kind of socket as its own. */
  static async to(target: SocketAddress, plan: RelayPlan = {}): Promise<Relay> {
    const relay = new Relay(target, plan);
    relay.#server.listen(typeof target === "string" ? { path: socketPath("relay.sock") } : { host: "127.0.0.1", port: 0 });
    await once(relay.#server, "listening");
    return relay;
  }

  /** Where it listens: a path, or host and port. */
  get address(): SocketAddress {
    return addressOf(this.#server);
  }

  /** The only connection. */
  get link(): Link {
    return this.links[0] as Link;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
