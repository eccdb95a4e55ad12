/** Connecting over TCP: several addresses, staggered attempts, local addresses. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { openConnection, type StreamWriter } from "asyncio-streams";
import { bareServer, freePort } from "../support/bare-sockets.js";
import { Child, scriptCommand } from "../support/child.js";
import { cannot } from "../support/runtime.js";
import { isSettled, turns } from "../support/turns.js";
import { withAddresses } from "./fake-lookup.js";

const NAME = "name.test";

async function hangUp(writer: StreamWriter): Promise<void> {
  writer.close();
  await writer.waitClosed();
}

/** The addresses, in the order in which connecting to them has failed. */
const triedIn = (error: AggregateError): string[] => error.errors.map((one: { address: string }) => one.address);

describe("openConnection()", () => {
  it("connects to an address, with TCP_NODELAY", async () => {
    await using far = await bareServer();
    // A socket does not tell of the option, so the calls that set it are watched.
    const { prototype } = net.Socket;
    const connect = Reflect.get(prototype, "connect") as (...args: unknown[]) => net.Socket;
    const setNoDelay: (on: boolean) => net.Socket = Reflect.get(prototype, "setNoDelay");
    let noDelay = false;
    prototype.connect = function watchedConnect(this: net.Socket, ...args: unknown[]) {
      noDelay ||= args.flat().some((arg) => (arg as { noDelay?: boolean } | null)?.noDelay === true);
      return Reflect.apply(connect, this, args);
    };
    prototype.setNoDelay = function watchedSetNoDelay(this: net.Socket, on: boolean = true) {
      noDelay ||= on;
      return setNoDelay.call(this, on);
    };
    try {
      const [, writer] = await openConnection("127.0.0.1", far.port);
      assert.deepEqual(writer.getExtraInfo("peername"), ["127.0.0.1", far.port]);
      assert.equal(writer.getExtraInfo("socket")?.family, "ipv4");
      await hangUp(writer);
    } finally {
      Object.assign(prototype, { connect, setNoDelay });
    }
    assert.equal(noDelay, true);
  });

  it("connects to a name, and with null to this machine", async () => {
    await using far = await bareServer();
    for (const host of ["localhost", null, undefined]) {
      const [, writer] = await openConnection(host, far.port, { family: 4 });
      assert.deepEqual(writer.getExtraInfo("peername"), ["127.0.0.1", far.port]);
      await hangUp(writer);
    }
  });

  it("sets TCP_NODELAY on a socket that is handed over", async () => {
    await using far = await bareServer();
    const sock = net.connect(far.port, "127.0.0.1");
    await once(sock, "connect");
    const setNoDelay = sock.setNoDelay.bind(sock);
    const calls: unknown[] = [];
    sock.setNoDelay = (noDelay?: boolean) => {
      calls.push(noDelay);
      return setNoDelay(noDelay);
    };
    const [, writer] = await openConnection(null, null, { sock });
    assert.deepEqual(calls, [true]);
    await hangUp(writer);
  });

  it("connects from localAddr", async () => {
    await using far = await bareServer();
    const [, writer] = await openConnection("127.0.0.1", far.port, { localAddr: ["127.0.0.2", 0] });
    const socket = await far.accepted();
    assert.equal(socket.remoteAddress, "127.0.0.2");
    assert.deepEqual(writer.getExtraInfo("sockname"), ["127.0.0.2", socket.remotePort]);
    await hangUp(writer);
  });

  it("connects from localAddr with its port", async () => {
    await using far = await bareServer();
    const port = await freePort();
    const [, writer] = await openConnection("127.0.0.1", far.port, { localAddr: ["127.0.0.2", port] });
    assert.deepEqual(writer.getExtraInfo("sockname"), ["127.0.0.2", port]);
    await hangUp(writer);
  });

  it("refuses a localAddr of another family than the address", async () => {
    await using far = await bareServer();
    await assert.rejects(openConnection("127.0.0.1", far.port, { localAddr: ["::1", 0] }), {
      code: "EAI_ADDRFAMILY",
      message: /localAddr ::1/,
    });
    await turns(3);
    assert.equal(far.sockets.length, 0);
  });

  it("refuses an address of another family than the one asked for", async () => {
    await using far = await bareServer();
    await assert.rejects(openConnection("127.0.0.1", far.port, { family: 6 }), Error);
    await turns(3);
    assert.equal(far.sockets.length, 0);
  });
});

describe("openConnection() to a name with several addresses", () => {
  it("goes on to the next when one refuses", async () => {
    await using far = await bareServer();
    const [, writer] = await withAddresses(["127.0.0.9", "127.0.0.8", "127.0.0.1"], () => openConnection(NAME, far.port));
    assert.deepEqual(writer.getExtraInfo("peername"), ["127.0.0.1", far.port]);
    await hangUp(writer);
  });

  it("takes the first that answers, and leaves the others alone", async () => {
    await using far = await bareServer();
    await using other = await bareServer();
    const [, writer] = await withAddresses(["127.0.0.1", "127.0.0.2"], () => openConnection(NAME, far.port));
    await hangUp(writer);
    assert.deepEqual([far.sockets.length, other.sockets.length], [1, 0]);
  });

  it("tries each in the system's order, and reports all errors with allErrors", async () => {
    const port = await freePort();
    const addresses = ["127.0.0.1", "::1", "127.0.0.2", "127.0.0.3"];
    await withAddresses(addresses, () =>
      assert.rejects(openConnection(NAME, port, { allErrors: true }), (error: AggregateError) => {
        assert.ok(error instanceof AggregateError);
        assert.deepEqual(triedIn(error), addresses);
        assert.match(error.message, new RegExp(`${NAME}:${port}`));
        for (const one of error.errors) assert.ok(one instanceof Error && "code" in one);
        return true;
      }),
    );
  });

  it("quotes all errors in one with the first one's code without allErrors", async () => {
    const port = await freePort();
    await withAddresses(["127.0.0.1", "127.0.0.2"], () =>
      assert.rejects(openConnection(NAME, port), (error: NodeJS.ErrnoException) => {
        assert.ok(!(error instanceof AggregateError));
        assert.equal(error.code, "ECONNREFUSED");
        for (const part of [NAME, `127.0.0.1:${port}`, `127.0.0.2:${port}`]) assert.ok(error.message.includes(part), error.message);
        return true;
      }),
    );
  });

  it("gives an AggregateError with allErrors and one address, too", async () => {
    const port = await freePort();
    await assert.rejects(openConnection("127.0.0.1", port, { allErrors: true }), (error: AggregateError & { code?: string }) => {
      assert.equal(error.errors.length, 1);
      assert.equal(error.code, "ECONNREFUSED"); // as Node's own
      return true;
    });
  });

  for (const [options, order] of [
    [{ interleave: 0 }, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "::1", "::ffff:127.0.0.2"]],
    [{ interleave: 1 }, ["127.0.0.1", "::1", "127.0.0.2", "::ffff:127.0.0.2", "127.0.0.3"]],
    [{ interleave: 2 }, ["127.0.0.1", "127.0.0.2", "::1", "127.0.0.3", "::ffff:127.0.0.2"]],
    [{ interleave: 9 }, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "::1", "::ffff:127.0.0.2"]],
    [{}, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "::1", "::ffff:127.0.0.2"]],
  ] as const) {
    it(`tries them in the order ${order.join(" ")} with ${JSON.stringify(options)}`, async () => {
      const port = await freePort();
      await withAddresses(["127.0.0.1", "127.0.0.2", "127.0.0.3", "::1", "::ffff:127.0.0.2"], () =>
        assert.rejects(openConnection(NAME, port, { ...options, allErrors: true }), (error: AggregateError) => {
          assert.deepEqual(triedIn(error), order);
          return true;
        }),
      );
    });
  }

  it("with an aborted signal closes every attempt", async () => {
    const controller = new AbortController();
    const port = await freePort();
    const connecting = withAddresses(["127.0.0.1", "127.0.0.2"], () =>
      openConnection(NAME, port, { signal: controller.signal, happyEyeballsDelay: 0 }),
    );
    controller.abort(new Error("never mind"));
    await assert.rejects(connecting, { message: "never mind" });
  });
});

/** A good server, and one on another address with the same port to which connecting hangs. */
async function withDeadAddress(body: (port: number, good: string, dead: string) => Promise<void>): Promise<void> {
  const [good, dead] = ["127.0.0.1", "127.0.0.7"];
  await using far = await bareServer();
  await using frozen = new Child(scriptCommand("net/frozen-child", dead, String(far.port)));
  assert.equal(await frozen.next(), "listening");
  process.kill(frozen.process.pid as number, "SIGSTOP"); // Deno: its own `child.kill()` works only once
  // Whoever comes when the queue of a listening socket is full gets no answer.
  const queue = Array.from({ length: 6 }, () => net.connect(far.port, dead).on("error", () => {}));
  await turns(20);
  try {
    await body(far.port, good, dead);
  } finally {
    for (const socket of queue) socket.destroy();
  }
}

describe("happyEyeballsDelay", () => {
  it("tries the next address while one does not answer", cannot("backlog", "bun"), async () => {
    await withDeadAddress(async (port, good, dead) => {
      const [, writer] = await withAddresses([dead, good], () => openConnection(NAME, port, { happyEyeballsDelay: 1 }));
      assert.deepEqual(writer.getExtraInfo("peername"), [good, port]);
      await hangUp(writer);
    });
  });

  it("waits for the first address without a delay, until the signal ends the wait", cannot("backlog", "bun"), async () => {
    await withDeadAddress(async (port, good, dead) => {
      const controller = new AbortController();
      const connecting = withAddresses([dead, good], () => openConnection(NAME, port, { signal: controller.signal }));
      assert.equal(await isSettled(connecting), false);
      controller.abort(new Error("never mind"));
      await assert.rejects(connecting, { message: "never mind" });
    });
  });

  it("an attempt that fails before the delay is followed by the next at once", async () => {
    await using far = await bareServer();
    const [, writer] = await withAddresses(["127.0.0.9", "127.0.0.1"], () =>
      openConnection(NAME, far.port, { happyEyeballsDelay: 600_000 }),
    );
    assert.deepEqual(writer.getExtraInfo("peername"), ["127.0.0.1", far.port]);
    await hangUp(writer);
  });
});
