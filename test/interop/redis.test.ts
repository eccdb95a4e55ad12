/** Redis, with the client of `examples/redis.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, describe } from "node:test";
import { Redis, RedisError, type Reply } from "../../examples/redis.js";
import { exampleOutput } from "./example.js";
import { program } from "./program.js";

const MIB = 1024 * 1024;

describe("Redis", () => {
  const server = program({
    name: "redis-server",
    package: "redis-server",
    args: ({ socket, directory }) => [
      "--port",
      "0",
      "--unixsocket",
      socket,
      "--dir",
      directory,
      "--save",
      "",
      "--enable-debug-command",
      "yes",
    ],
  });
  const { it } = server;
  let redis: Redis;

  before(async () => {
    redis = await Redis.connect(server.socket);
    server.atEnd(() => redis.close());
  });

  it("changes over to RESP3", async () => {
    const hello = await redis.command<Map<string, Reply>>("HELLO");
    assert.equal(hello.get("proto"), 3);
  });

  it("sets and gets 10,000 keys in two pipelines", async () => {
    const keys = Array.from({ length: 10_000 }, (_, index) => `key:${index}`);
    const stored = await redis.pipeline(keys.map((key) => ["SET", key, `value of ${key}`]));
    assert.deepEqual(new Set(stored), new Set(["OK"]));
    const values = await redis.pipeline(keys.map((key) => ["GET", key]));
    assert.deepEqual(
      values.map(String),
      keys.map((key) => `value of ${key}`),
    );
  });

  it("takes and gives a value of 50 MiB, byte for byte", async () => {
    const value = randomBytes(50 * MIB);
    assert.equal(await redis.command("SET", "large", value), "OK");
    const back = await redis.command<Buffer>("GET", "large");
    assert.ok(value.equals(back));
    assert.equal(await redis.command("DEL", "large"), 1);
  });

  it("sends messages of a channel to a second connection, in order", async () => {
    const listener = await Redis.connect(server.socket);
    await listener.command("SUBSCRIBE", "news");
    const sent = Array.from({ length: 1_000 }, (_, index) => `message ${index}\r\n`);
    const heard = await redis.pipeline(sent.map((message) => ["PUBLISH", "news", message]));
    assert.deepEqual(new Set(heard), new Set([1]));
    for (const message of sent) assert.equal(String(await listener.message()), message);
    await listener.close();
  });

  it("answers with every type of RESP3", async () => {
    const reply = (type: string) => redis.command("DEBUG", "PROTOCOL", type);
    assert.equal(String(await reply("string")), "Hello World");
    assert.equal(await reply("integer"), 12_345);
    assert.equal(String(await reply("double")), "3.141");
    assert.equal(await reply("null"), null);
    assert.deepEqual(await reply("array"), [0, 1, 2]);
    assert.deepEqual(await reply("set"), [0, 1, 2]);
    assert.deepEqual(await reply("map"), new Map([0, 1, 2].map((key) => [String(key), key === 1])));
    assert.equal(await reply("bignum"), 1234567999999999999999999999999999999n);
    assert.equal(await reply("true"), true);
    assert.equal(await reply("false"), false);
    assert.equal(String(await reply("verbatim")), "txt:This is a verbatim\nstring");
  });

  it("answers with an error, and the connection goes on", async () => {
    await redis.command("SET", "text", "no number");
    await assert.rejects(redis.command("INCR", "text"), new RedisError("ERR value is not an integer or out of range"));
    const [, failed, after] = await redis.pipeline([["PING"], ["SING"], ["PING"]]);
    assert.ok(failed instanceof RedisError);
    assert.equal(after, "PONG");
  });

  it("answers the example as its header says", () => {
    const lines = exampleOutput("redis.js", [server.socket]);
    assert.match(lines[0] ?? "", /^redis \d+\.\d+\.\d+ answers$/);
    assert.deepEqual(lines.slice(1), [
      "SET colour: OK",
      "GET colour: deep blue",
      "10000 values are back; the last: value of key:9999",
      "the second connection was told: it works",
      "",
    ]);
  });
});
