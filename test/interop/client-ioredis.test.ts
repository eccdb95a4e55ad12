/** ioredis over a connection of ours, with Redis. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { type EventEmitter, once } from "node:events";
import type { Duplex } from "node:stream";
import { describe } from "node:test";
import { clientOf, connectedDuplex } from "./clients.js";
import { program } from "./program.js";

interface Client extends EventEmitter {
  set(key: string, value: string): Promise<string>;
  get(key: string): Promise<string | null>;
  disconnect(reconnect: boolean): void;
  quit(): Promise<string>;
}

interface IoRedis {
  Redis: new (options: object) => Client;
  AbstractConnector: new (disconnectTimeout: number) => { stream?: Duplex };
}

describe("ioredis", () => {
  const server = program({
    name: "redis-server",
    package: "redis-server",
    args: ({ socket, directory }) => ["--port", "0", "--unixsocket", socket, "--dir", directory, "--save", ""],
  });

  server.it("sends commands, with its time limits and keep-alive, and connects again", async () => {
    const { Redis, AbstractConnector } = clientOf<IoRedis>("ioredis");
    class Connector extends AbstractConnector {
      constructor() {
        super(2_000);
      }

      async connect(): Promise<Duplex> {
        this.stream = await connectedDuplex(server.socket);
        return this.stream;
      }
    }
    const redis = new Redis({ Connector, connectTimeout: 60_000, keepAlive: 1_000, noDelay: true });
    const value = "x".repeat(5_000_000);
    assert.equal(await redis.set("key", value), "OK");
    assert.equal(await redis.get("key"), value);
    redis.disconnect(true);
    await once(redis, "ready");
    assert.equal(await redis.get("key"), value);
    assert.equal(await redis.quit(), "OK");
  });
});
