/** `examples/notify.ts`, with a receiver in Python in the place of systemd. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openUnixConnection } from "asyncio-streams";
import { Child } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import { socketPath } from "../support/temporary.js";
import { python, pythonCommand } from "../unix/python.js";
import { exampleCommand, type RunningExample, startExample } from "./run-example.js";

/** Deno: after `kill()` of a `ChildProcess`, that signal is reported as its end, however it has ended. */
function terminate({ process: { pid } }: RunningExample): void {
  process.kill(pid as number, "SIGTERM");
}

describe("examples/notify.ts", needsLinux, () => {
  it("reports that it is ready, alive, how many clients it has served, and that it stops", needs(python), async () => {
    const manager = socketPath();
    const path = socketPath();
    await using receiver = new Child(pythonCommand("notify_socket", manager));
    await receiver.nextLine();
    const receive = async (): Promise<unknown> => {
      receiver.process.stdin?.write("1\n");
      return receiver.next();
    };
    Object.assign(process.env, { NOTIFY_SOCKET: manager, WATCHDOG_USEC: "2000000" });
    const daemon = startExample([...exampleCommand("notify.js"), path], path);
    delete process.env["NOTIFY_SOCKET"];
    delete process.env["WATCHDOG_USEC"];
    assert.deepEqual(await receive(), [`READY=1\nSTATUS=serving\nMAINPID=${daemon.process.pid}\n`, []]);
    assert.equal(await daemon.nextLine(), `listens on ${path}, and has notified the service manager`);
    assert.deepEqual(await receive(), ["WATCHDOG=1\n", []]);

    const [reader, writer] = await openUnixConnection(path);
    writer.write("hello\n");
    writer.writeEof();
    assert.equal((await reader.read()).toString(), "hello\n");
    writer.close();
    await writer.waitClosed();
    let message = await receive();
    while (JSON.stringify(message).includes("WATCHDOG")) message = await receive();
    assert.deepEqual(message, ["STATUS=1 clients served\n", []]);

    terminate(daemon);
    while (JSON.stringify((message = await receive())).includes("WATCHDOG"));
    assert.deepEqual(message, ["STOPPING=1\n", []]);
    assert.equal(await daemon.ended(), "");
    await receiver.end();
  });

  it("works without a service manager", async () => {
    const path = socketPath();
    const daemon = startExample([...exampleCommand("notify.js"), path], path);
    assert.equal(await daemon.nextLine(), `listens on ${path}, without a service manager`);
    terminate(daemon);
    assert.equal(await daemon.ended(), "");
  });
});
