/** `asyncio-streams serve`: commands for clients of the library. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openConnection, openUnixConnection, type StreamReader, type StreamWriter } from "asyncio-streams";
import { certificateFile, keyFile, trust } from "../support/certificates.js";
import { cannot } from "../support/runtime.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { failure, type Running, run, start, startServe } from "./running.js";

async function end(server: Running, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  const { code, stderr } = await server.kill(signal);
  assert.equal(code, 0, stderr);
}

async function close(writer: StreamWriter): Promise<void> {
  writer.close();
  await writer.waitClosed().catch(() => {});
}

async function ask(path: string, question: string): Promise<string> {
  const [reader, writer] = await openUnixConnection(path);
  writer.write(question);
  writer.writeEof();
  const answer = String(await reader.read());
  await close(writer);
  return answer;
}

const openTcp = (address: string, ssl?: typeof trust): Promise<[StreamReader, StreamWriter]> => {
  const [, host = "", port] = /^(?:tls:\/\/)?\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  return openConnection(host, Number(port), ssl === undefined ? {} : { ssl, serverHostname: "localhost" });
};

describe("serve", () => {
  it("gives each client a command of its own, with the mode of the socket file", async () => {
    const path = socketPath("a socket");
    const { server, address } = await startServe("--mode", "660", path, "--", "tr", "a-z", "A-Z");
    assert.equal(address, path);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    assert.deepEqual(await Promise.all([ask(path, "one\n"), ask(path, "two\n"), ask(path, "three\n")]), ["ONE\n", "TWO\n", "THREE\n"]);
    await end(server);
    assert.equal(existsSync(path), false);
  });

  it("sends everything back with --echo", async () => {
    const path = socketPath();
    const { server } = await startServe("--echo", path);
    assert.equal(await ask(path, "x".repeat(500_000)), "x".repeat(500_000));
    await end(server, "SIGINT");
  });

  it("describes the client in the environment of the command", async () => {
    const script = 'echo "$PROTO $REMOTE_ADDR:$REMOTE_PORT $SERVER_ADDR:$SERVER_PORT $SERVER_PATH $REMOTE_UID"';
    const tcp = await startServe("127.0.0.1:0", "--", "sh", "-c", script);
    const [reader, writer] = await openTcp(tcp.address);
    const [, port] = writer.getExtraInfo("sockname") as readonly [string, number];
    assert.equal(String(await reader.read()), `TCP 127.0.0.1:${port} ${tcp.address}  \n`);
    await close(writer);
    await end(tcp.server);

    const path = socketPath();
    const unix = await startServe(path, "--", "sh", "-c", script);
    assert.match(await ask(path, ""), new RegExp(`^UNIX : : ${path} (?:${process.getuid?.()})?\n$`));
    await end(unix.server);
  });

  it("serves TLS, and lists every address of localhost", async () => {
    const files = ["--cert", certificateFile("server"), "--key", keyFile("server")];
    const { server, address } = await startServe(...files, "tls://localhost:0", "--", "sh", "-c", 'read line; echo "$PROTO $line"');
    for (const one of address.split(" and ")) {
      const [reader, writer] = await openTcp(one, trust);
      writer.write("hello\n");
      assert.equal(String(await reader.read()), "TLS hello\n");
      await close(writer);
    }
    await end(server);
  });

  it("delivers the whole answer to a client that still sends", async () => {
    const path = socketPath();
    const { server } = await startServe(path, "--", "head", "-c", "100000");
    const [reader, writer] = await openUnixConnection(path);
    const flood = (async () => {
      for (;;) {
        writer.write("x".repeat(65_536));
        await writer.drain();
      }
    })().catch(() => {});
    assert.equal((await reader.readexactly(100_000)).length, 100_000);
    assert.equal((await reader.read(1)).length, 0);
    await close(writer);
    await flood;
    await end(server);
  });

  it("takes input after the command has closed its output", async () => {
    const directory = temporaryDirectory();
    const path = join(directory, "upload.sock");
    const { server } = await startServe(path, "--", "sh", "-c", 'exec >&-; cat >"$0.part"; mv "$0.part" "$0"', join(directory, "file"));
    const [reader, writer] = await openUnixConnection(path);
    assert.equal((await reader.read()).length, 0);
    writer.write("x".repeat(300_000));
    await close(writer);
    await until(() => existsSync(join(directory, "file")));
    assert.equal(readFileSync(join(directory, "file"), "utf8").length, 300_000);
    await end(server);
  });

  it("ends the command of a client that has reset its connection, and what the command has started", async () => {
    const script = 'trap "" TERM; (trap - TERM; echo ready; exec sleep 600) & wait';
    const { server, address } = await startServe("-v", "127.0.0.1:0", "--", "sh", "-c", script);
    const [, host = "", port] = /(.*):(.*)/.exec(address) ?? [];
    const socket = net.connect(Number(port), host);
    await once(socket, "data");
    socket.resetAndDestroy();
    await server.until("stderr", /#1 failed: the connection was lost before the command had ended\n/);
    await end(server);
  });

  it("serves at most --max-connections clients at a time", async () => {
    const path = socketPath();
    const { server } = await startServe("--max-connections", "1", path, "--", "cat");
    const [firstReader, firstWriter] = await openUnixConnection(path);
    firstWriter.write("first\n");
    await firstReader.readline();
    const [reader, writer] = await openUnixConnection(path);
    writer.write("second\n");
    await assert.rejects(reader.readline({ timeout: 200 }), { name: "TimeoutError" });
    await close(firstWriter);
    assert.equal(String(await reader.readline()), "second\n");
    await close(writer);
    await end(server);
  });

  it("reports clients with --verbose, and nothing with --quiet", async () => {
    const path = socketPath();
    const verbose = await startServe("--verbose", path, "--", "cat");
    await ask(path, "x");
    await verbose.server.until("stderr", /#1 ended\n/);
    await end(verbose.server);
    assert.match(verbose.server.stderr, /#1 connected: (?:pid \d+, uid \d+|a process of this machine)\n/);
    await using quiet = start("serve", "--quiet", "--echo", path);
    await until(() => existsSync(path));
    await end(quiet);
    assert.equal(quiet.stderr, "");
  });

  it("gives running commands the end of their input at SIGTERM, and lets them finish", async () => {
    const path = socketPath();
    const { server } = await startServe(path, "--", "sh", "-c", "echo ready; cat >/dev/null; echo last words");
    const [reader, writer] = await openUnixConnection(path);
    assert.equal(String(await reader.readline()), "ready\n");
    server.signal("SIGTERM");
    assert.equal(String(await reader.read()), "last words\n");
    await close(writer);
    assert.equal((await server.ended).code, 0);
    await assert.rejects(openUnixConnection(path), { code: "ENOENT" });
  });

  it("ends commands with SIGTERM after the grace period", async () => {
    const file = join(temporaryDirectory(), "ended");
    const path = socketPath();
    const { server } = await startServe(
      "--grace",
      "0.2",
      path,
      "--",
      "sh",
      "-c",
      `trap 'echo x >${file}; exit' TERM; echo ready; while :; do sleep 0.1; done`,
    );
    const [reader, writer] = await openUnixConnection(path);
    await reader.readline();
    await end(server);
    assert.ok(existsSync(file));
    await close(writer);
  });

  it("ends everything at the second signal", async () => {
    const path = socketPath();
    const { server } = await startServe("--grace", "600", path, "--", "sh", "-c", 'trap "" TERM; echo $$; while :; do sleep 0.1; done');
    const [reader, writer] = await openUnixConnection(path);
    const pid = Number(await reader.readline());
    server.signal("SIGINT");
    await until(() => !existsSync(path));
    assert.equal((await server.kill("SIGTERM")).code, 143);
    assert.equal((await reader.read()).length, 0);
    const isGone = (): boolean => {
      try {
        process.kill(pid, 0);
        return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
      } catch {
        return true;
      }
    };
    await until(isGone);
    await close(writer);
  });

  it("replaces a stale socket file, and refuses the path of a live server", async () => {
    const path = await staleSocket();
    const { server } = await startServe("--echo", path);
    assert.match(
      await failure(1, ["serve", "--echo", path]),
      /^cannot listen on .*: address already in use: a live server listens on this path \(EADDRINUSE\)$/,
    );
    await end(server);
    assert.match(
      await failure(1, ["serve", "--echo", "/no/such/directory/x.sock"]),
      /the directory of the socket does not exist \(ENOENT\)$/,
    );
  });

  it("names an address that this machine does not have", cannot("listen-error-codes", "deno"), async () => {
    assert.match(await failure(1, ["serve", "--echo", "192.0.2.1:0"]), /this machine does not have the address/);
  });

  it("finds out at the start that a command cannot run", async () => {
    const file = join(temporaryDirectory(), "a script");
    writeFileSync(file, "");
    assert.equal(await failure(127, ["serve", "a.sock", "--", "no-such-command"]), "cannot find the command no-such-command");
    assert.equal(await failure(126, ["serve", "a.sock", "--", file]), `cannot execute ${file}: permission denied`);
  });

  it("reports a handshake that fails", async () => {
    const files = ["--cert", certificateFile("server"), "--key", keyFile("server")];
    const { server, address } = await startServe(...files, "tls://127.0.0.1:0", "--", "cat");
    const { code } = await run(["connect", address.replace("tls://", "")], "no TLS\n");
    assert.ok(code === 0 || code === 1);
    await server.until("stderr", /asyncio-streams: [^\n]*(?:SSL|TLS|http|wrong version)[^\n]*\n$/i);
    await end(server);
  });
});
