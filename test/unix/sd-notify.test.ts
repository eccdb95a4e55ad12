/** `sdNotify()` and `sdWatchdogMs()`, against a receiver in Python. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { afterEach, before, describe, it } from "node:test";
import { loadUnix, sdNotify, sdWatchdogMs } from "asyncio-streams/unix";
import { Child } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import { socketPath } from "../support/temporary.js";
import { openDescriptors } from "./numbered-messages.js";
import { python, pythonCommand } from "./python.js";

const VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

afterEach(() => {
  for (const name of VARIABLES) delete process.env[name];
});

async function receiver(path: string): Promise<Child> {
  const child = new Child(pythonCommand("notify_socket", path));
  await child.nextLine();
  process.env["NOTIFY_SOCKET"] = path;
  return child;
}

describe("sdNotify()", needsLinux, () => {
  before(() => loadUnix());

  for (const kind of ["a path", "an abstract name"]) {
    it(`sends a message, and descriptors, to ${kind}`, needs(python), async () => {
      await using child = await receiver(kind === "a path" ? socketPath() : `@asyncio-streams-notify-${process.pid}`);
      const start = openDescriptors();
      assert.equal(await sdNotify("READY=1\nSTATUS=serving"), true);
      const file = openSync("/etc/hosts", "r");
      assert.equal(await sdNotify(Buffer.from("FDSTORE=1\nFDNAME=hosts"), { fds: [file, { fd: file }] }), true);
      closeSync(file);
      child.process.stdin?.write("2\n");
      assert.deepEqual(await child.next(), ["READY=1\nSTATUS=serving", []]);
      assert.deepEqual(await child.next(), ["FDSTORE=1\nFDNAME=hosts", ["/etc/hosts", "/etc/hosts"]]);
      assert.equal(openDescriptors(), start);
      await child.end();
    });
  }

  it("waits while the queue is full, until its time is over, and sends the rest in order", needs(python), async () => {
    await using child = await receiver(socketPath());
    let count = 0;
    const full = async (): Promise<void> => {
      for (; count < 10_000; count += 1) await sdNotify(`STATUS=${count}`, { timeout: 50 });
    };
    await assert.rejects(full(), { name: "TimeoutError" });
    const controller = new AbortController();
    const aborted = sdNotify("STATUS=aborted", { signal: controller.signal });
    controller.abort();
    await assert.rejects(aborted, { name: "AbortError" });
    const last = sdNotify("STATUS=last");
    child.process.stdin?.write(`${count + 1}\n`);
    for (let number = 0; number < count; number += 1) assert.deepEqual(await child.next(), [`STATUS=${number}`, []]);
    assert.deepEqual(await child.next(), ["STATUS=last", []]);
    assert.equal(await last, true);
    await child.end();
  });

  it("returns false without a service manager", async () => {
    assert.equal(await sdNotify("READY=1"), false);
    process.env["NOTIFY_SOCKET"] = "";
    assert.equal(await sdNotify("READY=1", { fds: [0] }), false);
  });

  it("refuses wrong arguments, and reports the system's errors", async () => {
    const start = openDescriptors();
    process.env["NOTIFY_SOCKET"] = socketPath();
    await assert.rejects(sdNotify("READY=1"), { code: "ENOENT", message: "ENOENT: no such file or directory, connect to NOTIFY_SOCKET" });
    await assert.rejects(sdNotify(""), { code: "ERR_OUT_OF_RANGE" });
    await assert.rejects(sdNotify(1 as never), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(sdNotify("x", { fds: ["0"] as never }), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(sdNotify("x", { fsd: [0] } as never), { code: "ERR_INVALID_ARG_VALUE" });
    process.env["NOTIFY_SOCKET"] = "vsock:2:1234";
    await assert.rejects(sdNotify("READY=1"), { code: "ERR_INVALID_ARG_TYPE", message: /^NOTIFY_SOCKET must be an absolute path/ });
    assert.equal(openDescriptors(), start);
  });

  it("reports a descriptor that is not open, and a message that is too long", needs(python), async () => {
    await using child = await receiver(socketPath());
    await assert.rejects(sdNotify("FDSTORE=1", { fds: [999_999] }), { code: "EBADF" });
    await assert.rejects(sdNotify("x".repeat(4_097)), { code: "ERR_OUT_OF_RANGE" });
    assert.equal(await sdNotify("x".repeat(4_096)), true);
    await child.end();
  });
});

describe("sdWatchdogMs()", () => {
  it("returns the time, if it is meant for this process", () => {
    assert.equal(sdWatchdogMs(), null);
    process.env["WATCHDOG_USEC"] = "30000000";
    assert.equal(sdWatchdogMs(), 30_000);
    process.env["WATCHDOG_PID"] = String(process.pid);
    assert.equal(sdWatchdogMs(), 30_000);
    process.env["WATCHDOG_PID"] = "1";
    assert.equal(sdWatchdogMs(), null);
    for (const wrong of ["", "0", "-1", "soon", "1e9"]) {
      delete process.env["WATCHDOG_PID"];
      process.env["WATCHDOG_USEC"] = wrong;
      assert.equal(sdWatchdogMs(), null);
    }
  });
});
