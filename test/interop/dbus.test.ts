/** dbus-daemon, with the client of `examples/dbus.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { DBus, DBusError } from "../../examples/dbus.js";
import { decode, encode } from "../../examples/dbus-values.js";
import { exampleOutput } from "./example.js";
import { findProgram, program } from "./program.js";

const BUS = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

describe("D-Bus", () => {
  const daemon = program({
    name: "dbus-daemon",
    package: "dbus-daemon",
    args: ({ socket }) => ["--session", "--nofork", "--nopidfile", `--address=unix:path=${socket}`],
  });
  const { it } = daemon;

  it("gives each connection a name", async () => {
    await using first = await DBus.connect(daemon.socket);
    await using second = await DBus.connect(daemon.socket);
    assert.match(first.name, /^:1\.\d+$/);
    assert.notEqual(first.name, second.name);
    const [names] = await first.call({ ...BUS, member: "ListNames" });
    for (const name of [first.name, second.name, "org.freedesktop.DBus"]) assert.ok((names as string[]).includes(name));
  });

  it("answers with a dictionary of variants", async () => {
    await using bus = await DBus.connect(daemon.socket);
    const [facts] = await bus.call({ ...BUS, member: "GetConnectionCredentials", signature: "s", args: [bus.name] });
    const byName = new Map(facts as [string, unknown][]);
    assert.equal(byName.get("ProcessID"), process.pid);
    assert.equal(byName.get("UnixUserID"), process.getuid?.());
  });

  it("answers 401 calls, one after the other, with names of every length", async () => {
    await using bus = await DBus.connect(daemon.socket);
    for (let length = 1; length <= 200; length += 1) {
      const name = `a.${"b".repeat(length)}`;
      const [owned] = await bus.call({ ...BUS, member: "RequestName", signature: "su", args: [name, 0] });
      assert.equal(owned, 1);
      assert.deepEqual(await bus.call({ ...BUS, member: "GetNameOwner", signature: "s", args: [name] }), [bus.name]);
    }
    const [names] = await bus.call({ ...BUS, member: "ListNames" });
    assert.equal((names as string[]).filter((name) => name.startsWith("a.b")).length, 200);
  });

  it("refuses a call with an error that has a name, and goes on", async () => {
    await using bus = await DBus.connect(daemon.socket);
    for (const [member, name] of [
      ["MakeCoffee", "org.freedesktop.DBus.Error.UnknownMethod"],
      ["GetNameOwner", "org.freedesktop.DBus.Error.InvalidArgs"],
    ] as const) {
      await assert.rejects(bus.call({ ...BUS, member }), (error) => error instanceof DBusError && error.name === name);
    }
    assert.equal((await bus.call({ ...BUS, member: "GetId" })).length, 1);
  });

  it("loses no answer when a call is given up", async () => {
    await using bus = await DBus.connect(daemon.socket);
    await assert.rejects(bus.call({ ...BUS, member: "GetId" }, { signal: AbortSignal.abort() }), { name: "AbortError" });
    const [names] = await bus.call({ ...BUS, member: "ListNames" });
    assert.ok((names as string[]).includes(bus.name));
  });

  it("is seen by dbus-send", async () => {
    await using bus = await DBus.connect(daemon.socket);
    await bus.call({ ...BUS, member: "RequestName", signature: "su", args: ["example.asyncio.streams", 0] });
    const args = ["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.GetNameOwner"];
    const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: `unix:path=${daemon.socket}` };
    const child = spawn(findProgram("dbus-send", "dbus-bin"), [...args, "string:example.asyncio.streams"], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    assert.deepEqual(await once(child, "close"), [0, null]);
    assert.ok(output.includes(`"${bus.name}"`));
  });

  it("is used by the example as its header says", () => {
    const lines = exampleOutput("dbus.js", [daemon.socket]);
    assert.match(lines.join("\n"), /^this is :1\.\d+\n\d+ names\nthe bus is process \d+\norg\.freedesktop\.DBus\.Error\.UnknownMethod\n$/);
  });
});

describe("the values of D-Bus", () => {
  it("are the same after encoding and decoding", () => {
    const values = [
      7,
      true,
      -3,
      65_535,
      -70_000,
      4_000_000_000,
      -5n,
      2n ** 63n,
      1.5,
      "text ü",
      "/path",
      "a{sv}",
      [[1, "one"]],
      ["x", ["y"]],
    ];
    assert.deepEqual(decode("ybnqiuxtdsoga(ys)(sas)", encode("ybnqiuxtdsoga(ys)(sas)", values)), values);
    assert.deepEqual(decode("a{sv}v", encode("a{sv}v", [[["key", ["as", ["a", "b"]]]], ["d", 0.25]])), [[["key", ["a", "b"]]], 0.25]);
  });
});
