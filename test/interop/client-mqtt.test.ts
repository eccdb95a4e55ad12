/** mqtt over a connection of ours, with Mosquitto. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { type EventEmitter, once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { describe } from "node:test";
import { clientOf, connectedDuplex } from "./clients.js";
import { program } from "./program.js";

interface Client extends EventEmitter {
  subscribeAsync(topic: string, options: object): Promise<unknown>;
  publishAsync(topic: string, message: string, options: object): Promise<unknown>;
  endAsync(): Promise<void>;
}

interface Mqtt {
  MqttClient: new (makeStream: () => Duplex, options: object) => Client;
}

describe("mqtt", () => {
  const server = program({
    name: "mosquitto",
    package: "mosquitto",
    insteadOfRoot: "mosquitto",
    prepare({ directory, socket }) {
      writeFileSync(join(directory, "conf"), `listener 0 ${socket}\nallow_anonymous true\n`);
    },
    args: ({ directory }) => ["-c", join(directory, "conf")],
  });

  server.it("subscribes, and receives what it publishes, exactly once", async () => {
    const duplex = await connectedDuplex(server.socket);
    const { MqttClient } = clientOf<Mqtt>("mqtt");
    const client = new MqttClient(() => duplex, { reconnectPeriod: 0, connectTimeout: 60_000 });
    await once(client, "connect");
    await client.subscribeAsync("news/#", { qos: 2 });
    const received = once(client, "message");
    const message = "x".repeat(1_000_000);
    await client.publishAsync("news/a", message, { qos: 2 });
    const [topic, payload] = (await received) as [string, Buffer];
    assert.equal(topic, "news/a");
    assert.equal(payload.toString(), message);
    await client.endAsync();
  });
});
