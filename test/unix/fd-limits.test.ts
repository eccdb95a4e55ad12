/** What bounds the descriptors of a connection: the program, the system, and the peer. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before, describe, it } from "node:test";
import { DescriptorLimitError, loadUnix, openFdConnection } from "asyncio-streams/unix";
import { Child, scriptCommand } from "../support/child.js";
import { type Need, needs, needsLinux } from "../support/needs.js";
import { cannot } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";
import { withFdClient } from "./fd-pairs.js";
import { openDescriptors } from "./numbered-messages.js";
import { python, pythonCommand } from "./python.js";

/** Turns of the event loop after which nothing more happens by itself. */
async function settled(value: () => number): Promise<number> {
  let last = value();
  for (let still = 0; still < 50; still += 1) {
    await turns();
    if (value() !== last) still = 0;
    last = value();
  }
  return last;
}

const flood = (path: string): string[] => pythonCommand("descriptors_peer", "flood", path, "100000", "100");

describe("a peer that sends descriptors without end", needsLinux, () => {
  before(() => loadUnix());

  it("is slowed down while the program does not read", needs(python), () =>
    withFdClient(flood, async ([reader]) => {
      await until(() => reader.bufferedFds >= 256);
      assert.equal(await settled(() => reader.bufferedFds), 300);
      assert.ok(reader.bufferedLength < 10);
      for (const descriptor of reader.takeFds()) descriptor.close();
    }),
  );

  it("goes on when the program reads and takes them", needs(python), () =>
    withFdClient(flood, async ([reader]) => {
      let taken = 0;
      while (taken < 20_000) {
        const [data, descriptors] = await reader.receiveFds(1);
        assert.equal(data.length, 1);
        assert.ok(descriptors.length <= 512);
        for (const descriptor of descriptors) descriptor.close();
        taken += descriptors.length;
      }
    }),
  );

  it("is cut off if the program reads and does not take them; all are closed, and the bytes stay", needs(python), () =>
    withFdClient(flood, async ([reader, writer], child) => {
      const start = openDescriptors();
      const error = await reader.readexactly(1_000).catch((reason: unknown) => reason);
      assert.ok(error instanceof DescriptorLimitError);
      assert.equal(error.code, "ERR_DESCRIPTOR_LIMIT");
      assert.equal(error.name, "DescriptorLimitError");
      assert.equal(error.message, "the peer has sent 600 descriptors that were not taken: the limit is 512");
      assert.equal(reader.bufferedFds, 0);
      assert.deepEqual(reader.takeFds(), []);
      assert.ok(openDescriptors() <= start);
      assert.equal((await reader.read(100)).length, 5);
      await assert.rejects(writer.drain(), { code: "ECONNRESET", cause: error });
      assert.match(await child.nextLine(), /^stopped (32|104)$/);
    }),
  );

  it("is bound by fdLimit", needs(python), () =>
    withFdClient(
      flood,
      async ([reader]) => {
        await assert.rejects(reader.readexactly(2), { code: "ERR_DESCRIPTOR_LIMIT", message: /sent 100 .* limit is 99$/ });
      },
      { fdLimit: 99 },
    ),
  );

  it("leaves nothing open if the connection is closed meanwhile", needs(python), async () => {
    const start = openDescriptors();
    await withFdClient(flood, async ([reader, writer]) => {
      await until(() => reader.bufferedFds >= 256);
      writer.close();
      assert.equal(reader.bufferedFds, 0);
      await writer.waitClosed();
    });
    assert.ok((await settled(openDescriptors)) <= start + 4, `${openDescriptors()}, and ${start} at the start`);
  });

  it("leaves nothing open if its bytes are not wanted any more", needs(python), () =>
    withFdClient(flood, async ([reader]) => {
      void reader.cancel();
      await assert.rejects(
        (async () => {
          for (;;) {
            await turns();
            if (reader.exception() !== null) throw reader.exception() as Error;
          }
        })(),
        { code: "ERR_DESCRIPTOR_LIMIT" },
      );
      assert.equal(reader.bufferedFds, 0);
    }),
  );
});

/** Runs a command in a process that may open so many descriptors. */
const limited = (descriptors: number, command: readonly string[]): string[] => [
  ...["sh", "-c", `ulimit -n ${descriptors}; exec "$@"`, "sh"],
  ...command,
];

describe("a process that may open no more descriptors", needsLinux, () => {
  before(() => loadUnix());

  it("loses the connection with EMFILE, closes what it has received, and serves others", async () => {
    const path = socketPath();
    await using child = new Child(limited(128, scriptCommand("unix/fd-limits-child", "receive", path)));
    await child.next();
    const [reader, writer] = await openFdConnection(path);
    await writer.sendFds(
      "x",
      Array.from({ length: 200 }, () => 0),
    );
    assert.equal((await reader.readline().catch(() => Buffer.alloc(0))).length, 0);
    writer.close();
    for (let round = 0; round < 5; round += 1) {
      const [otherReader, other] = await openFdConnection(path);
      await other.sendFds("x", [0, 1]);
      assert.equal((await otherReader.readline()).toString(), "2\n");
      other.close();
      await other.waitClosed();
    }
    // A runtime may have opened a few for itself. If any of the received ones were left, it would be about a hundred.
    let seen = await child.ask<{ errors: string[]; more: number }>("look");
    while (seen.more > 5) seen = await child.ask("look");
    assert.deepEqual(seen.errors, ["EMFILE: 0 left"]);
    await child.end();
  });

  it("reports a client that it can accept and not serve, and serves others", cannot("out-of-descriptors", "deno"), async () => {
    const path = socketPath();
    await using child = new Child(limited(128, scriptCommand("unix/fd-limits-child", "accept", path)));
    await child.next();
    const greeted = async (): Promise<string> => {
      const [reader, writer] = await openFdConnection(path);
      const line = await reader.readline().catch(() => "reset");
      writer.close();
      await writer.waitClosed().catch(() => {});
      return String(line);
    };
    assert.equal(await greeted(), "hello\n");
    await child.ask("fill");
    assert.notEqual(await greeted(), "hello\n");
    assert.deepEqual(await child.ask("look"), ["EMFILE"]);
    assert.equal(await greeted(), "hello\n");
    await child.end();
  });
});

/** Root may have any number in flight, and an ordinary user may not. This is root without the two capabilities that make the difference. */
const LIMITED = process.getuid?.() === 0 ? ["setpriv", "--inh-caps=-all", "--bounding-set=-sys_resource,-sys_admin"] : ["env"];
const canBeLimited: Need = {
  skip: spawnSync(LIMITED[0] as string, [...LIMITED.slice(1), "true"], { stdio: "ignore" }).status !== 0 && "needs setpriv(1)",
};

describe("a user that has too many descriptors in flight", needs(needsLinux, canBeLimited), () => {
  before(() => loadUnix());

  it("waits until the peer has taken some, and then goes on", async () => {
    const command = (path: string): string[] => [...LIMITED, ...limited(120, scriptCommand("unix/fd-limits-child", "send", path, "30"))];
    await withFdClient(command, async ([reader, writer], child) => {
      writer.transport.pauseReading();
      assert.equal(await child.next(), "ready");
      const sent = await child.ask<number>("send");
      assert.ok(sent < 30, `${sent} messages were sent at once`);
      writer.transport.resumeReading();
      for (let index = 0; index < 30; index += 1) {
        const data = await reader.readexactly(1);
        assert.equal(data[0], index);
        const descriptors = reader.takeFds(20);
        assert.equal(descriptors.length, 20);
        for (const descriptor of descriptors) descriptor.close();
      }
      assert.equal(await child.next(), "all");
    });
  });
});
