/** Connections that carry descriptors, to and from Python and this library; and the descriptors that they deliver. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openUnixConnection, startUnixServer, toDuplex } from "asyncio-streams";
import {
  Descriptor,
  type FdStreamWriter,
  getPeerCredentials,
  loadUnix,
  openFdConnection,
  openSocketpair,
  startFdServer,
} from "asyncio-streams/unix";
import { Child } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import { socketPath } from "../support/temporary.js";
import { turns } from "../support/turns.js";
import { FdServing, withHostsFile } from "./fd-pairs.js";
import { openDescriptors, receiveNumbered, sendNumbered, targetOf } from "./numbered-messages.js";
import { python, pythonCommand } from "./python.js";

describe("connections that carry descriptors", needsLinux, () => {
  let idle = 0;
  before(async () => {
    await loadUnix();
    // What the first connection opens for good: the poller, and on Bun its thread.
    await using serving = await FdServing.start();
    const [[, writer]] = await serving.connect();
    writer.transport.abort();
    await writer.waitClosed();
  });
  before(() => {
    idle = openDescriptors();
  });
  after(async () => {
    for (let turn = 0; turn < 200 && openDescriptors() > idle; turn += 1) await turns();
    assert.ok(openDescriptors() <= idle, `${openDescriptors()} descriptors are open, and ${idle} were at the start`);
  });

  it("receive from Python: every message with its files, in order", needs(python), async () => {
    await using serving = await FdServing.start();
    await using child = new Child(pythonCommand("descriptors_peer", "send", serving.path, "1", "150"));
    const [reader, writer] = await serving.next();
    assert.ok((await receiveNumbered(reader)) > 100);
    assert.equal((await reader.read()).length, 0);
    writer.write("thanks");
    assert.equal(await child.nextLine(), "thanks");
    writer.close();
    await child.end();
  });

  it("send to Python: every message with its files, in order", needs(python), async () => {
    await using serving = await FdServing.start();
    await using child = new Child(pythonCommand("descriptors_peer", "receive", serving.path, "2"));
    const [reader, writer] = await serving.next();
    const files = await sendNumbered(writer, 2, 150);
    assert.equal(await child.nextLine(), `hash True files ${files} of ${files} late 0`);
    assert.equal(await child.nextLine(), "left 0");
    assert.equal((await reader.read()).toString(), "thanks");
    writer.close();
    await child.end();
  });

  it("go both ways at a time between this library and itself", async () => {
    await using serving = await FdServing.start();
    const [client, peer] = await serving.connect();
    const results = await Promise.all([
      sendNumbered(client[1], 3, 100),
      receiveNumbered(peer[0]),
      sendNumbered(peer[1], 4, 100),
      receiveNumbered(client[0]),
    ]);
    assert.equal(results[0], results[1]);
    assert.equal(results[2], results[3]);
    client[1].close();
    peer[1].close();
  });

  it("leave no descriptor open in 10,000 exchanges", async () => {
    await using serving = await FdServing.start();
    const [[reader, writer], [peerReader, peerWriter]] = await serving.connect();
    const echo = async (): Promise<void> => {
      for (;;) {
        const [data, descriptors] = await peerReader.receiveFds(65_536);
        if (data.length === 0) break;
        if (descriptors.length > 0) await peerWriter.sendFds(data, descriptors);
        for (const descriptor of descriptors) descriptor.close();
      }
      peerWriter.close();
    };
    const echoing = echo();
    await withHostsFile(async (fd) => {
      const start = openDescriptors();
      for (let exchange = 0; exchange < 10_000; exchange += 1) {
        await writer.sendFds("x", [fd]);
        await reader.readexactly(1);
        const [descriptor, ...more] = reader.takeFds();
        assert.equal(more.length, 0);
        descriptor?.close();
      }
      assert.equal(openDescriptors(), start);
    });
    writer.close();
    await echoing;
  });

  it("have the extra info of a Unix connection", async () => {
    await using serving = await FdServing.start();
    const [[, writer], [, peer]] = await serving.connect();
    assert.equal(writer.getExtraInfo("peername"), serving.path);
    assert.equal(peer.getExtraInfo("sockname"), serving.path);
    assert.equal(peer.getExtraInfo("peername"), "");
    assert.equal(writer.getExtraInfo("socket")?.family, "unix");
    for (const one of [writer, peer]) assert.equal(getPeerCredentials(one).pid, process.pid);
    assert.equal((writer.getExtraInfo("socket") as unknown as { ref(isRef: boolean): void }).ref(false), undefined);
    writer.getExtraInfo("socket")?.setNoDelay();
    writer.getExtraInfo("socket")?.setKeepAlive();
  });

  it("speak to any stream of this library, which drops the descriptors", async () => {
    const server = await startUnixServer(async (reader, writer) => {
      for await (const line of reader) writer.write(line.toString().toUpperCase());
      writer.close();
    }, socketPath());
    const [reader, writer] = await openFdConnection(server.sockets[0]?.getsockname() as string);
    await withHostsFile((fd) => writer.sendFds("hello\n", [fd]));
    assert.equal((await reader.readline()).toString(), "HELLO\n");
    const duplex = toDuplex(reader, writer);
    for (const name of ["unref", "ref"]) (Reflect.get(duplex, name) as () => void).call(duplex);
    duplex.destroy();
    await writer.waitClosed().catch(() => {});
    await server.shutdown();
  });
});

describe("a Descriptor", needsLinux, () => {
  before(() => loadUnix());

  /** A descriptor that was received, of a file or of any number. */
  async function received(serving: FdServing, fd?: number): Promise<Descriptor> {
    const [[, writer], [peerReader]] = await serving.connect();
    if (fd === undefined) await withHostsFile((file) => writer.sendFds("x", [file]));
    else await writer.sendFds("x", [fd]);
    const [, [descriptor]] = await peerReader.receiveFds(1);
    return descriptor as Descriptor;
  }

  it("is closed once, by close() or `using`", async () => {
    await using serving = await FdServing.start();
    const descriptor = await received(serving);
    const start = openDescriptors();
    {
      using same = descriptor;
      assert.equal(same.closed, false);
    }
    assert.equal(openDescriptors(), start - 1);
    assert.equal(descriptor.closed, true);
    descriptor.close();
    descriptor[Symbol.dispose]();
    assert.equal(openDescriptors(), start - 1);
    assert.throws(() => descriptor.fd, { code: "ERR_INVALID_STATE" });
    assert.throws(() => descriptor.detach(), { code: "ERR_INVALID_STATE" });
  });

  it("can be given away", async () => {
    await using serving = await FdServing.start();
    const descriptor = await received(serving);
    const fd = descriptor.detach();
    descriptor.close();
    assert.equal(targetOf(fd), "/etc/hosts");
    assert.equal(descriptor.closed, true);
    new Descriptor(fd).close();
  });

  it("is not inherited by child processes", async () => {
    await using serving = await FdServing.start();
    using descriptor = await received(serving);
    assert.match(readFileSync(`/proc/self/fdinfo/${descriptor.fd}`, "utf8"), /^flags:\s+0?2\d{6}$/m); // O_CLOEXEC is 0o2000000
  });

  it("is a sock: of a connection, of a server, and of another connection that carries descriptors", async () => {
    await using serving = await FdServing.start();
    const path = socketPath();
    const server = await startUnixServer((_reader, writer) => {
      writer.write("hello\n");
      writer.close();
    }, path);
    const [, far] = await openFdConnection(path);
    far.transport.pauseReading();
    const connection = await received(serving, fdOf(far));
    far.transport.abort();
    const [reader, writer] = await openUnixConnection(null, { sock: connection });
    assert.equal(connection.closed, true);
    assert.equal((await reader.readline()).toString(), "hello\n");
    writer.close();
    await writer.waitClosed();

    const [, other] = await openFdConnection(path);
    other.transport.pauseReading();
    const second = await received(serving, fdOf(other));
    other.transport.abort();
    const [receiver, sender] = await openFdConnection(null, { sock: second });
    assert.equal((await receiver.readline()).toString(), "hello\n");
    sender.close();
    await server.shutdown();
  });

  it("is refused by its number if a connection uses it, which goes on", async () => {
    const [one, other] = openSocketpair();
    const number = one.detach();
    const [, writer] = await openFdConnection(null, { sock: number });
    const [reader, peer] = await openFdConnection(null, { sock: other });
    await assert.rejects(openFdConnection(null, { sock: number }), { name: "TypeError", message: /belongs to another socket or server/ });
    await writer.sendFds("still there", [0]);
    const [data, descriptors] = await reader.receiveFds(100);
    assert.deepEqual([data.toString(), descriptors.length], ["still there", 1]);
    for (const descriptor of descriptors) descriptor.close();
    for (const open of [writer, peer]) open.close();
    for (const open of [writer, peer]) await open.waitClosed();
  });

  it("is closed by a call that cannot use it", async () => {
    await using serving = await FdServing.start();
    const start = openDescriptors();
    for (const refuse of [
      async (sock: Descriptor) => openUnixConnection(null, { sock }),
      async (sock: Descriptor) => startUnixServer(() => {}, null, { sock }),
      async (sock: Descriptor) => openFdConnection(null, { sock }),
      async (sock: Descriptor) => startFdServer(() => {}, null, { sock }),
      async (sock: Descriptor) => openUnixConnection("/path", { sock }),
      async (sock: Descriptor) => openFdConnection("/path", { sock }),
      async (sock: Descriptor) => openFdConnection(null, { sock, limt: 1 } as object),
    ]) {
      const descriptor = await received(serving);
      await assert.rejects(refuse(descriptor), { name: "TypeError" });
      assert.equal(descriptor.closed, true);
    }
    for (const [, writer] of serving.opened) writer.transport.abort();
    serving.server.abortClients();
    for (let turn = 0; turn < 200 && openDescriptors() > start; turn += 1) await turns();
    assert.ok(openDescriptors() <= start);
  });
});

/** The number of the descriptor of a connection. */
function fdOf(writer: FdStreamWriter): number {
  return (writer.getExtraInfo("socket") as unknown as { readonly fd: number }).fd;
}
