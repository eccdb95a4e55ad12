/** `openFdConnection()` and `startFdServer()`: bytes and descriptors, to and from Python and this library. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { openUnixConnection, type Server, startUnixServer, toDuplex } from "asyncio-streams";
import {
  Descriptor,
  type FdClientConnectedCallback,
  type FdStreamReader,
  type FdStreamWriter,
  getPeerCredentials,
  loadUnix,
  openFdConnection,
  openSocketpair,
  type StartFdServerOptions,
  startFdServer,
} from "asyncio-streams/unix";
import { Child } from "../support/child.js";
import { needs, needsLinux } from "../support/needs.js";
import { socketPath } from "../support/temporary.js";
import { contentsOf, openDescriptors, receiveNumbered, sendNumbered, targetOf, withFile } from "./numbered-messages.js";
import { python, pythonCommand } from "./python.js";

type Pair = readonly [reader: FdStreamReader, writer: FdStreamWriter];

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A server, and its clients in order. */
class Serving implements AsyncDisposable {
  readonly path = socketPath();
  readonly errors: unknown[] = [];
  /** The clients' ends, which are closed with the server. */
  readonly opened: Pair[] = [];
  readonly #clients: Pair[] = [];
  #wake = (): void => {};
  server!: Server;

  static async start(options?: StartFdServerOptions): Promise<Serving> {
    const serving = new Serving();
    const callback: FdClientConnectedCallback = (reader, writer) => {
      serving.#clients.push([reader, writer]);
      serving.#wake();
    };
    const onClientError = (error: unknown): unknown => serving.errors.push(error);
    serving.server = await startFdServer(callback, serving.path, { onClientError, ...options });
    return serving;
  }

  async next(): Promise<Pair> {
    while (this.#clients.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#clients.shift() as Pair;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [, writer] of this.opened) writer.transport.abort();
    this.server.abortClients();
    await this.server.shutdown({ graceMs: 0 });
  }
}

/** Both ends of a connection. */
async function connected(serving: Serving, options?: object): Promise<readonly [client: Pair, peer: Pair]> {
  const client = await openFdConnection(serving.path, options);
  serving.opened.push(client);
  return [client, await serving.next()];
}

describe("connections that carry descriptors", needsLinux, () => {
  let idle = 0;
  before(async () => {
    await loadUnix();
    // What the first connection opens for good: the poller, and on Bun its thread.
    await using serving = await Serving.start();
    const [[, writer]] = await connected(serving);
    writer.transport.abort();
    await writer.waitClosed();
  });
  before(() => {
    idle = openDescriptors();
  });
  after(async () => {
    for (let turn = 0; turn < 200 && openDescriptors() > idle; turn += 1) await nextTurn();
    assert.ok(openDescriptors() <= idle, `${openDescriptors()} descriptors are open, and ${idle} were at the start`);
  });

  it("receive from Python: every message with its files, in order", needs(python), async () => {
    await using serving = await Serving.start();
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
    await using serving = await Serving.start();
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
    await using serving = await Serving.start();
    const [client, peer] = await connected(serving);
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
    await using serving = await Serving.start();
    const [[reader, writer], [peerReader, peerWriter]] = await connected(serving);
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
    await withFileAsync(async (fd) => {
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
    await using serving = await Serving.start();
    const [[, writer], [, peer]] = await connected(serving);
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
    await withFileAsync((fd) => writer.sendFds("hello\n", [fd]));
    assert.equal((await reader.readline()).toString(), "HELLO\n");
    const duplex = toDuplex(reader, writer);
    for (const name of ["unref", "ref"]) (Reflect.get(duplex, name) as () => void).call(duplex);
    duplex.destroy();
    await writer.waitClosed().catch(() => {});
    await server.shutdown();
  });
});

describe("sendFds() and receiveFds()", needsLinux, () => {
  before(() => loadUnix());

  it("pass a file, a socket, a pipe and a terminal for what they are", async () => {
    await using serving = await Serving.start();
    const [[reader, writer], [peerReader, peerWriter]] = await connected(serving);
    await withFileAsync(async (file) => {
      const fds = [file, 0, 1, 2];
      await writer.sendFds("all", fds);
      const [data, descriptors] = await peerReader.receiveFds(100);
      assert.equal(data.toString(), "all");
      assert.deepEqual(
        descriptors.map(({ fd }) => targetOf(fd)),
        fds.map(targetOf),
      );
      await peerWriter.sendFds("back", descriptors);
      for (const descriptor of descriptors) descriptor.close();
      const [, again] = await reader.receiveFds(100);
      assert.deepEqual(
        again.map(({ fd }) => targetOf(fd)),
        fds.map(targetOf),
      );
      for (const descriptor of again) descriptor.close();
    });
  });

  it("take objects with a descriptor: a Descriptor, and a FileHandle of Node", async () => {
    await using serving = await Serving.start();
    const [[, writer], [peerReader, peerWriter]] = await connected(serving);
    const handle = await open("/etc/hosts");
    await writer.sendFds("x", new Set([handle]));
    await handle.close();
    const [, [descriptor]] = await peerReader.receiveFds(1);
    assert.ok(descriptor instanceof Descriptor);
    assert.equal(targetOf(descriptor.fd), "/etc/hosts");
    await peerWriter.sendFds("y", [descriptor]);
    descriptor.close();
  });

  it("keep the order of bytes written before and after, however much waits", async () => {
    await using serving = await Serving.start();
    const [[, writer], [peerReader]] = await connected(serving);
    const large = Buffer.alloc(700_001, "a");
    writer.write("first ");
    writer.write(large);
    const sent = withFileAsync((fd) => writer.sendFds("middle", [fd])); // closed before it can be sent
    writer.write(large);
    writer.write(" last");
    writer.writeEof();
    assert.equal((await peerReader.readexactly(6)).toString(), "first ");
    await peerReader.readexactly(large.length);
    assert.equal((await peerReader.readexactly(1)).toString(), "m");
    const [descriptor] = peerReader.takeFds();
    assert.equal(targetOf(descriptor?.fd as number), "/etc/hosts");
    descriptor?.close();
    const rest = await peerReader.read();
    assert.equal(rest.length, "iddle".length + large.length + " last".length);
    assert.equal(rest.toString().slice(-5), " last");
    await sent;
    assert.equal(writer.bytesWritten, 6 + 2 * large.length + 6 + 5);
  });

  it("send the file that was meant, whatever its number refers to by the time it can be sent", async () => {
    await using serving = await Serving.start();
    const [[, writer], [peerReader]] = await connected(serving);
    writer.write(Buffer.alloc(700_000));
    const sending: Promise<void>[] = [];
    for (let index = 0; index < 20; index += 1) {
      // Each file has the same number, because the one before is closed.
      withFile(`early-${index}`, (fd) => sending.push(writer.sendFds("x", [fd])));
    }
    await peerReader.readexactly(700_000);
    for (let index = 0; index < 20; index += 1) {
      await peerReader.readexactly(1);
      const [descriptor] = peerReader.takeFds(1);
      assert.equal(contentsOf(descriptor as Descriptor), `early-${index}`);
      descriptor?.close();
    }
    await Promise.all(sending);
  });

  it("wait for a peer that does not read, and end with the connection", async () => {
    await using serving = await Serving.start();
    const [[, writer], [, peerWriter]] = await connected(serving);
    peerWriter.transport.pauseReading();
    const start = openDescriptors();
    writer.write(Buffer.alloc(700_000));
    let isSent = false;
    const sending = withFileAsync((fd) => writer.sendFds(Buffer.alloc(100_000), [fd, fd])).then(() => {
      isSent = true;
      return isSent;
    });
    sending.catch(() => {});
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    assert.equal(isSent, false);
    assert.equal(openDescriptors(), start + 3); // the file, and two duplicates
    await assert.rejects(writer.drain({ timeout: 1 }), { name: "TimeoutError" });
    writer.abort();
    await assert.rejects(sending, { code: "ECONNRESET" });
    assert.ok(openDescriptors() < start);
  });

  it("refuse wrong arguments, and send nothing then", async () => {
    await using serving = await Serving.start();
    const [[reader, writer], [peerReader]] = await connected(serving);
    const many = Array.from({ length: 254 }, () => 0);
    await assert.rejects(writer.sendFds("", [0]), { code: "ERR_INVALID_ARG_VALUE" });
    await assert.rejects(writer.sendFds("x", []), { code: "ERR_OUT_OF_RANGE" });
    await assert.rejects(writer.sendFds("x", many), {
      code: "ERR_OUT_OF_RANGE",
      message: "the number of fds must be from 1 to 253, not number 254",
    });
    for (const fds of [0, null, undefined, "0", {}])
      await assert.rejects(writer.sendFds("x", fds as never), { code: "ERR_INVALID_ARG_TYPE" });
    for (const fd of ["0", null, {}, { fd: "0" }, 1n])
      await assert.rejects(writer.sendFds("x", [fd as never]), { code: "ERR_INVALID_ARG_TYPE" });
    for (const fd of [-1, 1.5, Number.NaN, 2 ** 31]) await assert.rejects(writer.sendFds("x", [fd]), { code: "ERR_OUT_OF_RANGE" });
    await assert.rejects(writer.sendFds("x", [0, 0, 999_999]), {
      code: "EBADF",
      syscall: "dup",
      message: "EBADF: bad file descriptor, dup of descriptor 999999",
    });
    await assert.rejects(writer.sendFds("x", [0], { signal: AbortSignal.abort() }), { name: "AbortError" });
    await assert.rejects(writer.sendFds("x", [0], { timout: 1 } as never), { name: "TypeError" });
    assert.throws(() => reader.takeFds(-1), { code: "ERR_OUT_OF_RANGE" });
    await assert.rejects(reader.receiveFds(0), { code: "ERR_OUT_OF_RANGE" });
    await assert.rejects(reader.receiveFds(1, -1), { code: "ERR_OUT_OF_RANGE" });
    writer.write("only this");
    writer.writeEof();
    await assert.rejects(writer.sendFds("x", [0]), { code: "ERR_INVALID_STATE" });
    const [data, descriptors] = await peerReader.receiveFds(100);
    assert.deepEqual([data.toString(), descriptors], ["only this", []]);
    assert.deepEqual(await peerReader.receiveFds(1), [Buffer.alloc(0), []]);
  });

  it("reject on a connection that is closed, and keep nothing open", async () => {
    await using serving = await Serving.start();
    const [[, writer], [, peerWriter]] = await connected(serving);
    peerWriter.close();
    writer.close();
    await writer.waitClosed();
    await peerWriter.waitClosed();
    const start = openDescriptors();
    await assert.rejects(writer.sendFds("x", [0]), { code: "ECONNRESET" });
    assert.equal(openDescriptors(), start);
  });

  it("pass 253 descriptors at a time", async () => {
    await using serving = await Serving.start();
    const [[, writer], [peerReader]] = await connected(serving);
    const fds = Array.from({ length: 253 }, () => 1);
    await writer.sendFds("x", fds);
    const [, descriptors] = await peerReader.receiveFds(1);
    assert.equal(descriptors.length, 253);
    for (const descriptor of descriptors) descriptor.close();
  });

  it("take no more than was asked for", async () => {
    await using serving = await Serving.start();
    const [[, writer], [peerReader]] = await connected(serving);
    await writer.sendFds("x", [0, 1, 2]);
    const [, one] = await peerReader.receiveFds(1, 1);
    assert.equal(one.length, 1);
    assert.equal(peerReader.bufferedFds, 2);
    assert.deepEqual(peerReader.takeFds(0), []);
    const rest = peerReader.takeFds(100);
    assert.equal(rest.length, 2);
    for (const descriptor of [...one, ...rest]) descriptor.close();
  });

  it("deliver what was sent before the peer has ended or left", async () => {
    await using serving = await Serving.start();
    for (const end of ["close", "writeEof", "abort"] as const) {
      const [[, writer], [peerReader]] = await connected(serving);
      await writer.sendFds("last words", [0]);
      if (end === "abort") writer.transport.abort();
      else writer[end]();
      assert.equal((await peerReader.readexactly(10)).toString(), "last words");
      assert.equal((await peerReader.read()).length, 0);
      const [descriptor] = peerReader.takeFds();
      assert.ok(descriptor !== undefined && descriptor.fd >= 0, end);
      descriptor.close();
    }
  });
});

describe("a Descriptor", needsLinux, () => {
  before(() => loadUnix());

  /** A descriptor that was received, of a file or of any number. */
  async function received(serving: Serving, fd?: number): Promise<Descriptor> {
    const [[, writer], [peerReader]] = await connected(serving);
    if (fd === undefined) await withFileAsync((file) => writer.sendFds("x", [file]));
    else await writer.sendFds("x", [fd]);
    const [, [descriptor]] = await peerReader.receiveFds(1);
    return descriptor as Descriptor;
  }

  it("is closed once, by close() or `using`", async () => {
    await using serving = await Serving.start();
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
    await using serving = await Serving.start();
    const descriptor = await received(serving);
    const fd = descriptor.detach();
    descriptor.close();
    assert.equal(targetOf(fd), "/etc/hosts");
    assert.equal(descriptor.closed, true);
    new Descriptor(fd).close();
  });

  it("is not inherited by child processes", async () => {
    await using serving = await Serving.start();
    using descriptor = await received(serving);
    assert.match(readFileSync(`/proc/self/fdinfo/${descriptor.fd}`, "utf8"), /^flags:\s+0?2\d{6}$/m); // O_CLOEXEC is 0o2000000
  });

  it("is a sock: of a connection, of a server, and of another connection that carries descriptors", async () => {
    await using serving = await Serving.start();
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
    await using serving = await Serving.start();
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
    for (let turn = 0; turn < 200 && openDescriptors() > start; turn += 1) await nextTurn();
    assert.ok(openDescriptors() <= start);
  });
});

/** The number of the descriptor of a connection. */
function fdOf(writer: FdStreamWriter): number {
  return (writer.getExtraInfo("socket") as unknown as { readonly fd: number }).fd;
}

/** Calls an async function with the descriptor of a file. */
async function withFileAsync<T>(call: (fd: number) => Promise<T>): Promise<T> {
  const fd = openSync("/etc/hosts", "r");
  try {
    return await call(fd);
  } finally {
    closeSync(fd);
  }
}
