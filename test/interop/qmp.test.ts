/** QEMU's storage daemon, with the client of `examples/qmp.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { Qmp, QmpError, type QmpEvent } from "../../examples/qmp.js";
import { exampleOutput } from "./example.js";
import { program } from "./program.js";

/** The life of a job that ends well. */
const LIFE = ["created", "running", "waiting", "pending", "concluded"];
const JOBS = 100;

describe("QEMU, by QMP", () => {
  const server = program({
    name: "qemu-storage-daemon",
    package: "qemu-system-common",
    args: ({ socket }) => ["--chardev", `socket,id=qmp,path=${socket},server=on,wait=off`, "--monitor", "qmp"],
    // One that is hung up on before it has said who it is may die of it.
    answers: async ({ socket }) => (await Qmp.connect(socket)).close(),
  });
  const { it } = server;

  it("says who it is", async () => {
    const qmp = await Qmp.connect(server.socket);
    assert.match(qmp.version, /^\d+\.\d+\.\d+$/);
    await qmp.close();
  });

  it("describes itself on one line, which is longer than a reader's limit", async () => {
    const qmp = await Qmp.connect(server.socket);
    const schema = await qmp.execute<{ name: string }[]>("query-qmp-schema");
    assert.ok(JSON.stringify(schema).length > 65_536);
    assert.ok(schema.some(({ name }) => name === "query-qmp-schema"));
    await qmp.close();
  });

  it("sends events about jobs, each in order, while commands are answered", async () => {
    const qmp = await Qmp.connect(server.socket);
    const ids = Array.from({ length: JOBS }, (_, index) => `job-${index}`);
    for (const id of ids) {
      const options = { driver: "file", filename: join(server.directory, id), size: 4096 };
      await qmp.execute("blockdev-create", { "job-id": id, options });
    }
    const lives = new Map<unknown, unknown[]>(ids.map((id) => [id, []]));
    for (let count = 0; count < ids.length * LIFE.length; count += 1) {
      const { event, data }: QmpEvent = await qmp.nextEvent();
      assert.equal(event, "JOB_STATUS_CHANGE");
      lives.get(data["id"])?.push(data["status"]);
    }
    for (const id of ids) {
      assert.deepEqual(lives.get(id), LIFE);
      await qmp.execute("job-dismiss", { id });
      assert.deepEqual((await qmp.nextEvent()).data, { id, status: "null" });
      assert.equal(statSync(join(server.directory, id)).size, 4096);
    }
    await qmp.close();
  });

  it("waits for an event only for the given time, and loses none", async () => {
    const qmp = await Qmp.connect(server.socket);
    await assert.rejects(qmp.nextEvent({ signal: AbortSignal.timeout(1) }), { name: "TimeoutError" });
    const options = { driver: "file", filename: join(server.directory, "late"), size: 4096 };
    await qmp.execute("blockdev-create", { "job-id": "late", options });
    for (const status of LIFE) assert.deepEqual((await qmp.nextEvent()).data, { id: "late", status });
    await qmp.execute("job-dismiss", { id: "late" });
    await qmp.close();
  });

  it("answers a wrong command with an error, and the connection goes on", async () => {
    const qmp = await Qmp.connect(server.socket);
    await assert.rejects(qmp.execute("make-coffee"), new QmpError("The command make-coffee has not been found"));
    await assert.rejects(qmp.execute("job-dismiss", { id: 7 }), QmpError);
    assert.ok((await qmp.execute<unknown[]>("query-commands")).length > 10);
    await qmp.close();
  });

  it("answers the example as its header says", () => {
    const lines = exampleOutput("qmp.js", [server.socket]);
    assert.match(lines[0] ?? "", /^QEMU \d+\.\d+\.\d+ answers, and knows \d+ commands$/);
    const events = LIFE.map((status) => `JOB_STATUS_CHANGE: {"status":"${status}","id":"make-disk"}`);
    assert.deepEqual(lines.slice(1), [...events, "The command make-coffee has not been found", ""]);
  });
});
