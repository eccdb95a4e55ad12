/** memcached, with the client of `examples/memcached.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, describe } from "node:test";
import { Memcached, MemcachedError } from "../../examples/memcached.js";
import { exampleOutput } from "./example.js";
import { program } from "./program.js";

/** What memcached holds at most in an item, with its key and header. */
const MIB = 1024 * 1024;

describe("memcached", () => {
  const server = program({
    name: "memcached",
    package: "memcached",
    args: ({ socket }) => ["-s", socket, "-u", "root"], // the user counts for nothing unless root starts it
  });
  const { it } = server;
  let memcached: Memcached;

  before(async () => {
    memcached = await Memcached.connect(server.socket);
    server.atEnd(() => memcached.close());
  });

  it("keeps values with newlines, and values that look like an answer", async () => {
    const values = ["", "\r\n", "a\nb\r\nc", "END\r\n", "VALUE x 0 3\r\nabc\r\nEND\r\n", "\r\n".repeat(10_000)];
    for (const value of values) {
      await memcached.set("text", value);
      assert.equal(String(await memcached.get("text")), value);
    }
  });

  it("keeps large values, byte for byte", async () => {
    const value = randomBytes(MIB - 1_000);
    await memcached.set("large", value);
    assert.ok((await memcached.get("large"))?.equals(value));
  });

  it("gives many items at once, with their flags", async () => {
    const keys = Array.from({ length: 500 }, (_, index) => `key${index}`);
    for (const [index, key] of keys.entries()) await memcached.set(key, `${key}\r\n`, { flags: index });
    const items = await memcached.gets("nothing", ...keys.slice(0, 100), ...keys.slice(100));
    assert.deepEqual([...items.keys()], keys);
    for (const [index, key] of keys.entries()) {
      assert.equal(String(items.get(key)?.value), `${key}\r\n`);
      assert.equal(items.get(key)?.flags, index);
    }
  });

  it("stores by cas only a value that is unchanged", async () => {
    await memcached.set("seats", "3");
    const version = (await memcached.gets("seats")).get("seats")?.version as string;
    assert.equal(await memcached.cas("seats", "2", version), true);
    assert.equal(await memcached.cas("seats", "2", version), false);
    assert.equal(String(await memcached.get("seats")), "2");
    assert.equal(await memcached.cas("no-seats", "2", version), false);
  });

  it("adds only missing values, and drops deleted and expired ones", async () => {
    assert.equal(await memcached.add("new", "1"), true);
    assert.equal(await memcached.add("new", "2"), false);
    assert.equal(await memcached.command("incr new 41"), "42");
    assert.equal(await memcached.command("delete new"), "DELETED");
    await memcached.set("old", "1", { expires: -1 });
    assert.equal((await memcached.gets("new", "old")).size, 0);
  });

  it("answers with errors, and goes on", async () => {
    await assert.rejects(memcached.command("sing"), new MemcachedError("ERROR"));
    await memcached.set("word", "seven");
    await assert.rejects(memcached.command("incr word 1"), /^Error: CLIENT_ERROR cannot increment/);
    assert.match(await memcached.command("version"), /^VERSION /);
  });

  it("refuses a value that is too large, and goes on behind it", async () => {
    await assert.rejects(memcached.set("huge", randomBytes(2 * MIB)), new MemcachedError("SERVER_ERROR object too large for cache"));
    assert.match(await memcached.command("version"), /^VERSION /);
  });

  it("answers the example as its header says", () => {
    const [version, ...lines] = exampleOutput("memcached.js", [server.socket]);
    assert.match(version ?? "", /^memcached answers: VERSION \d/);
    assert.deepEqual(lines, [
      'the poem: "Roses are red\\r\\nEND\\r\\n"',
      "the first to book a seat: true",
      "the second, who read 3 as well: false",
      "Error: CLIENT_ERROR cannot increment or decrement non-numeric value",
      "",
    ]);
  });
});
