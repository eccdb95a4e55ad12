/** `authorize`: which clients a Unix server lets in, and what the others leave behind. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { before, describe, it } from "node:test";
import {
  type Authorize,
  BaseProtocol,
  createUnixServer,
  openUnixConnection,
  type PeerCredentials,
  type Server,
  type StartUnixServerOptions,
  type StreamReader,
  startServer,
  startUnixServer,
  UnauthorizedError,
} from "asyncio-streams";
import { loadUnix } from "asyncio-streams/unix";
import { identity, trust } from "../support/certificates.js";
import { Child, scriptCommand } from "../support/child.js";
import { foreign, thenable } from "../support/foreign.js";
import { needs, needsLinux, needsRoot } from "../support/needs.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";
import { python, pythonCommand } from "./python.js";

/** A server that answers each line in capitals, with what it has reported. */
interface Serving extends AsyncDisposable {
  readonly server: Server;
  readonly path: string;
  readonly errors: unknown[];
  /** The number of callbacks so far. */
  readonly served: () => number;
}

async function serve(authorize: Authorize, options: StartUnixServerOptions = {}): Promise<Serving> {
  const path = socketPath();
  chmodSync(dirname(path), 0o755);
  const errors: unknown[] = [];
  let served = 0;
  const server = await startUnixServer(
    async (reader, writer) => {
      served += 1;
      for await (const line of reader) writer.write(line.toString().toUpperCase());
      writer.close();
    },
    path,
    { authorize, mode: 0o777, onClientError: (error, writer) => errors.push(error, writer), ...options },
  );
  const asyncDispose = async (): Promise<void> => void (await server.shutdown({ graceMs: 0 }));
  return { server, path, errors, served: () => served, [Symbol.asyncDispose]: asyncDispose };
}

/** What a client gets for a line that it sends at once; `null` if it is refused. */
async function converse(path: string): Promise<string | null> {
  const [reader, writer] = await openUnixConnection(path);
  writer.write("hello\n");
  try {
    return (await reader.readline()).toString() || null;
  } catch {
    return null;
  } finally {
    writer.transport.abort();
  }
}

/** Waits for the end of a connection. */
async function ended(reader: StreamReader): Promise<void> {
  try {
    await reader.read();
  } catch {
    // a reset, because the server has not read what was sent
  }
}

/** A decision that is made later. */
function later(): { decision: Promise<boolean>; decide: (answer: boolean) => void; fail: (error: unknown) => void } {
  let decide: (answer: boolean) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const decision = new Promise<boolean>((resolve, reject) => {
    decide = resolve;
    fail = reject;
  });
  return { decision, decide, fail };
}

/** Waits until a server has accepted so many clients. */
async function accepted(server: Server, count: number): Promise<void> {
  await until(() => server.getStats().accepted >= count);
}

describe("authorize", needsLinux, () => {
  before(() => loadUnix());

  it("receives the credentials of the client, and lets it in by true", async () => {
    const seen: PeerCredentials[] = [];
    await using serving = await serve((credentials) => {
      seen.push(credentials);
      return credentials.uid === process.geteuid?.();
    });
    assert.equal(await converse(serving.path), "HELLO\n");
    assert.equal(seen[0]?.pid, process.pid);
    assert.equal(serving.server.getStats().unauthorized, 0);
  });

  it("lets a client in by a promise for true, with what it has sent meanwhile", async () => {
    for (const answer of [() => Promise.resolve(true), async () => turns().then(() => true), () => foreign("Promise.resolve(true)")]) {
      await using serving = await serve(answer as Authorize);
      assert.equal(await converse(serving.path), "HELLO\n");
      assert.deepEqual(serving.errors, []);
    }
  });

  const refusals: readonly (() => unknown)[] = [
    () => false,
    () => undefined,
    () => null,
    () => 1,
    () => "true",
    () => ({}),
    () => Promise.resolve(false),
    () => Promise.resolve(1),
    () => turns(),
    () => Promise.resolve(Promise.resolve(false)),
    () => foreign("Promise.resolve(false)"),
  ];
  for (const [index, refuse] of refusals.entries()) {
    it(`refuses a client by any other answer (${index}): the callback is not called, and the refusal is counted and reported`, async () => {
      await using serving = await serve(refuse as Authorize);
      const { server, path, errors, served } = serving;
      assert.equal(await converse(path), null);
      await until(() => server.getStats().unauthorized > 0);
      const { accepted, unauthorized, failed, refused, active, handshakes } = server.getStats();
      assert.deepEqual(
        { accepted, unauthorized, failed, refused, active, handshakes },
        {
          ...{ accepted: 1, unauthorized: 1, failed: 0, refused: 0, active: 0, handshakes: 0 },
        },
      );
      const [error, writer] = errors;
      assert.ok(error instanceof UnauthorizedError);
      assert.equal(error.code, "ERR_UNAUTHORIZED");
      assert.equal(error.name, "UnauthorizedError");
      assert.equal(error.credentials?.pid, process.pid);
      assert.equal(
        error.message,
        `refused a client: uid ${process.geteuid?.()}, gid ${process.getegid?.()}, pid ${process.pid} is not authorized`,
      );
      assert.deepEqual([writer, errors.length, served()], [null, 2, 0]);
    });
  }

  const failure = new Error("the database is down");
  const failures: readonly (() => unknown)[] = [
    () => {
      throw failure;
    },
    () => Promise.reject(failure),
    () => turns().then(() => Promise.reject(failure)),
    () =>
      thenable(() => {
        throw failure;
      }),
    () => thenable((_resolve: unknown, reject: (error: unknown) => void) => reject(failure)),
  ];
  for (const [index, fail] of failures.entries()) {
    it(`refuses a client if it fails (${index}), and reports its error`, async () => {
      await using serving = await serve(fail as Authorize);
      assert.equal(await converse(serving.path), null);
      await until(() => serving.server.getStats().failed > 0);
      assert.deepEqual(serving.errors, [failure, null]);
      assert.equal(serving.server.getStats().unauthorized, 0);
      assert.equal(serving.served(), 0);
    });
  }

  it("refuses another user", needs(needsRoot, python), async () => {
    await using serving = await serve(({ uid }) => uid === 0);
    await using child = new Child(pythonCommand("credentials_peer", "connect", serving.path, "65534", "65534", ""));
    await child.nextLine();
    assert.equal(await child.nextLine(), "end");
    assert.equal(await converse(serving.path), "HELLO\n");
    assert.equal((serving.errors[0] as UnauthorizedError).credentials?.uid, 65_534);
    await child.end();
  });

  it("is asked for a client that has left at once, too", async () => {
    await using serving = await serve(({ pid }) => pid === process.pid);
    const clients = await Promise.all(Array.from({ length: 20 }, () => openUnixConnection(serving.path)));
    for (const [, writer] of clients) writer.transport.abort();
    await accepted(serving.server, 20);
    assert.deepEqual(serving.errors, []);
  });

  it("lets a client whose decision is pending wait as in a handshake", async () => {
    const { decision, decide } = later();
    await using serving = await serve(() => decision);
    const answer = converse(serving.path);
    await accepted(serving.server, 1);
    const { handshakes, active } = serving.server.getStats();
    assert.deepEqual([handshakes, active, serving.served()], [1, 0, 0]);
    decide(true);
    assert.equal(await answer, "HELLO\n");
  });

  it("serves a client that has ended its side, or has left, while the decision was pending", async () => {
    const { decision, decide } = later();
    await using serving = await serve(() => decision);
    const [reader, writer] = await openUnixConnection(serving.path);
    writer.write("last\n");
    writer.writeEof();
    const [, gone] = await openUnixConnection(serving.path);
    gone.transport.abort();
    await accepted(serving.server, 2);
    decide(true);
    assert.equal((await reader.read()).toString(), "LAST\n");
    writer.close();
    await until(() => serving.server.getStats().active === 0);
    assert.deepEqual(serving.errors, []);
  });

  it("is forgotten when the server ends its clients: a later decision changes nothing", async () => {
    for (const end of ["abortClients", "closeClients", "shutdown"] as const) {
      for (const settle of ["decide", "fail"] as const) {
        const { decision, decide, fail } = later();
        await using serving = await serve(() => decision);
        const [reader, writer] = await openUnixConnection(serving.path);
        await accepted(serving.server, 1);
        if (end === "shutdown") await serving.server.shutdown({ graceMs: 0 });
        else serving.server[end]();
        await ended(reader);
        if (settle === "decide") decide(true);
        else fail(failure);
        await turns();
        assert.deepEqual([serving.errors, serving.served()], [[], 0], end);
        assert.equal(serving.server.getStats().handshakes, 0);
        writer.close();
      }
    }
  });

  it("refuses a client before it takes a place or waits for one", async () => {
    let letIn = true;
    await using serving = await serve(() => letIn, { maxConnections: 1, backlog: 1 });
    const { server, path } = serving;
    const [first, firstWriter] = await openUnixConnection(path);
    firstWriter.write("a\n");
    await first.readline();
    letIn = false;
    for (let count = 1; count <= 5; count += 1) assert.equal(await converse(path), null);
    letIn = true;
    const [second, secondWriter] = await openUnixConnection(path);
    secondWriter.write("b\n");
    await accepted(server, 7);
    const { waiting, unauthorized, refused } = server.getStats();
    assert.deepEqual({ waiting, unauthorized, refused }, { waiting: 1, unauthorized: 5, refused: 0 });
    firstWriter.close();
    assert.equal((await second.readline()).toString(), "B\n");
    secondWriter.close();
  });

  it("removes a client from the queue if it is refused there", async () => {
    const decisions = [later(), later(), later()];
    let index = 0;
    await using serving = await serve(() => (decisions[index++] as { decision: Promise<boolean> }).decision, { maxConnections: 1 });
    const { server, path } = serving;
    const [first, firstWriter] = await openUnixConnection(path);
    decisions[0]?.decide(true);
    firstWriter.write("a\n");
    await first.readline();
    const [second, secondWriter] = await openUnixConnection(path);
    await accepted(server, 2);
    const [third, thirdWriter] = await openUnixConnection(path);
    thirdWriter.write("c\n");
    await accepted(server, 3);
    assert.equal(server.getStats().waiting, 2);
    decisions[1]?.decide(false);
    await ended(second);
    assert.equal(server.getStats().waiting, 1);
    assert.equal(server.getStats().unauthorized, 1);
    decisions[2]?.decide(true);
    firstWriter.close();
    assert.equal((await third.readline()).toString(), "C\n");
    secondWriter.close();
    thirdWriter.close();
  });

  it("comes before the handshake of TLS", async () => {
    for (const answer of [true, false, Promise.resolve(true), Promise.resolve(false)]) {
      await using serving = await serve(() => answer, { ssl: identity("server") });
      const opening = openUnixConnection(serving.path, { ssl: trust, serverHostname: "localhost" });
      if (await answer) {
        const [reader, writer] = await opening;
        writer.write("secret\n");
        assert.equal((await reader.readline()).toString(), "SECRET\n");
        writer.close();
        await writer.waitClosed();
      } else {
        await assert.rejects(opening);
        assert.deepEqual([serving.server.getStats().unauthorized, serving.server.getStats().failed], [1, 0]);
      }
    }
  });

  it("is called in the context in which the server was started", async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const authorize: Authorize = () => {
      seen.push(storage.getStore());
      return Promise.resolve(false);
    };
    await using serving = await storage.run("server", () => serve(authorize, { onClientError: () => seen.push(storage.getStore()) }));
    assert.equal(await converse(serving.path), null);
    await until(() => serving.server.getStats().unauthorized > 0);
    assert.deepEqual(seen, ["server", "server"]);
  });

  it("is an option of createUnixServer()", async () => {
    const path = socketPath();
    const errors: unknown[] = [];
    const server = await createUnixServer(() => new BaseProtocol(), path, {
      authorize: () => false,
      onError: (error) => errors.push(error),
    });
    assert.equal(await converse(path), null);
    await server.shutdown();
    assert.ok(errors[0] instanceof UnauthorizedError);
  });

  it("is refused over TCP, and if it is not a function", async () => {
    const callback = (): void => {};
    await assert.rejects(startServer(callback, "127.0.0.1", 0, { authorize: () => true } as object), { name: "TypeError" });
    for (const authorize of [true, { uid: 0 }, null])
      await assert.rejects(startUnixServer(callback, socketPath(), { authorize: authorize as never }), { code: "ERR_INVALID_ARG_TYPE" });
  });

  it("needs loadUnix()", async () => {
    await using child = new Child(scriptCommand("unix/authorize-early-child", socketPath()));
    assert.equal(
      await child.nextLine(),
      "InvalidStateError: authorize needs the credentials of clients: call loadUnix() of asyncio-streams/unix first",
    );
    assert.equal((await child.end()).code, 0);
  });
});
