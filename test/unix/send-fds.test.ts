/** `sendFds()`, `receiveFds()` and `takeFds()`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { before, describe, it } from "node:test";
import { Descriptor, loadUnix } from "asyncio-streams/unix";
import { needsLinux } from "../support/needs.js";
import { turns } from "../support/turns.js";
import { FdServing, withHostsFile } from "./fd-pairs.js";
import { contentsOf, openDescriptors, targetOf, withFile } from "./numbered-messages.js";

describe("sendFds() and receiveFds()", needsLinux, () => {
  before(() => loadUnix());

  it("pass a file, a socket, a pipe and a terminal for what they are", async () => {
    await using serving = await FdServing.start();
    const [[reader, writer], [peerReader, peerWriter]] = await serving.connect();
    await withHostsFile(async (file) => {
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
    await using serving = await FdServing.start();
    const [[, writer], [peerReader, peerWriter]] = await serving.connect();
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
    await using serving = await FdServing.start();
    const [[, writer], [peerReader]] = await serving.connect();
    const large = Buffer.alloc(700_001, "a");
    writer.write("first ");
    writer.write(large);
    const sent = withHostsFile((fd) => writer.sendFds("middle", [fd])); // closed before it can be sent
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
    await using serving = await FdServing.start();
    const [[, writer], [peerReader]] = await serving.connect();
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
    await using serving = await FdServing.start();
    const [[, writer], [, peerWriter]] = await serving.connect();
    peerWriter.transport.pauseReading();
    const start = openDescriptors();
    writer.write(Buffer.alloc(700_000));
    let isSent = false;
    const sending = withHostsFile((fd) => writer.sendFds(Buffer.alloc(100_000), [fd, fd])).then(() => {
      isSent = true;
      return isSent;
    });
    sending.catch(() => {});
    await turns(20);
    assert.equal(isSent, false);
    assert.equal(openDescriptors(), start + 3); // the file, and two duplicates
    await assert.rejects(writer.drain({ timeout: 1 }), { name: "TimeoutError" });
    writer.abort();
    await assert.rejects(sending, { code: "ECONNRESET" });
    assert.ok(openDescriptors() < start);
  });

  it("refuse wrong arguments, and send nothing then", async () => {
    await using serving = await FdServing.start();
    const [[reader, writer], [peerReader]] = await serving.connect();
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
    await using serving = await FdServing.start();
    const [[, writer], [, peerWriter]] = await serving.connect();
    peerWriter.close();
    writer.close();
    await writer.waitClosed();
    await peerWriter.waitClosed();
    const start = openDescriptors();
    await assert.rejects(writer.sendFds("x", [0]), { code: "ECONNRESET" });
    assert.equal(openDescriptors(), start);
  });

  it("pass 253 descriptors at a time", async () => {
    await using serving = await FdServing.start();
    const [[, writer], [peerReader]] = await serving.connect();
    const fds = Array.from({ length: 253 }, () => 1);
    await writer.sendFds("x", fds);
    const [, descriptors] = await peerReader.receiveFds(1);
    assert.equal(descriptors.length, 253);
    for (const descriptor of descriptors) descriptor.close();
  });

  it("take no more than was asked for", async () => {
    await using serving = await FdServing.start();
    const [[, writer], [peerReader]] = await serving.connect();
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
    await using serving = await FdServing.start();
    for (const end of ["close", "writeEof", "abort"] as const) {
      const [[, writer], [peerReader]] = await serving.connect();
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
