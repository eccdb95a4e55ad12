/** `asyncio-streams tap LISTEN TARGET`: what passes through, and its transcript. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import net from "node:net";
import { describe, it } from "node:test";
import { openConnection, openUnixConnection, type StreamReader, type StreamWriter, startServer, startUnixServer } from "asyncio-streams";
import { loadUnix } from "asyncio-streams/unix";
import { addressOf } from "../support/addresses.js";
import { bareServer } from "../support/bare-sockets.js";
import { certificateFile, identity, keyFile, trust } from "../support/certificates.js";
import { payload } from "../support/payload.js";
import { socketPath } from "../support/temporary.js";
import { commandLine, commandText, failure, plainEnvironment, Running, run, start, visible } from "./running.js";

type Serve = (reader: StreamReader, writer: StreamWriter) => Promise<void>;

const canReset = await loadUnix().then(
  () => process.versions["deno"] === undefined,
  () => false,
);

const shout: Serve = async (reader, writer) => {
  for await (const line of reader) {
    writer.write(String(line).toUpperCase());
    await writer.drain();
  }
  writer.close();
};

const echo: Serve = async (reader, writer) => {
  for await (const chunk of reader.chunks()) {
    writer.write(chunk);
    await writer.drain();
  }
  writer.close();
};

/** A tap in front of a server. */
async function tapped(
  serve: Serve,
  options: readonly string[],
  use: (path: string, tap: Running) => Promise<void>,
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const [path, target] = [socketPath("a tap"), socketPath("a target")];
  const server = await startUnixServer(serve, target, { onClientError: () => {} });
  await using tap = new Running(commandLine("tap", ...options, path, target), { env: plainEnvironment(env) });
  await tap.until("stderr", /leads to/);
  await use(path, tap);
  const { code, stdout, stderr } = await tap.kill("SIGTERM");
  assert.equal(code, 0, stderr);
  await server.shutdown({ graceMs: 0 });
  return String(stdout);
}

async function converse(path: string, text: string): Promise<string> {
  const [reader, writer] = await openUnixConnection(path);
  writer.write(text);
  writer.writeEof();
  const answer = String(await reader.read());
  writer.close();
  await writer.waitClosed();
  return answer;
}

/** A transcript without what differs between two runs. */
const settled = (transcript: string): string[] =>
  transcript
    .replaceAll(/^\d\d:\d\d:\d\d\.\d{3}/gm, "TIME")
    .replaceAll(/pid \d+, uid \d+|a process of this machine/g, "PEER")
    .replaceAll(/after \d+\.\d{3} s/g, "after N s")
    .trimEnd()
    .split("\n");

describe("tap", () => {
  it("prints what both sides send, and when they end", async () => {
    const transcript = await tapped(shout, ["--mode", "600"], async (path) => {
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(await converse(path, "a line\r\nand more\n"), "A LINE\r\nAND MORE\n");
    });
    assert.deepEqual(settled(transcript), [
      "TIME #1 connected: PEER",
      "TIME #1 > 17 bytes",
      "    a line\\r\\n",
      "    and more\\n",
      "TIME #1 > end",
      "TIME #1 < 17 bytes",
      "    A LINE\\r\\n",
      "    AND MORE\\n",
      "TIME #1 < end",
      "TIME #1 closed after N s: 17 bytes in, 17 bytes out",
    ]);
  });

  it("shows bytes that are no text as a hex dump, and no more than --max-bytes", async () => {
    const transcript = await tapped(echo, ["--max-bytes", "16"], async (path) => {
      await converse(path, "\0\x01\x02\x03".repeat(10));
    });
    assert.deepEqual(settled(transcript).slice(1, 4), [
      "TIME #1 > 40 bytes",
      "    00000000  00 01 02 03 00 01 02 03  00 01 02 03 00 01 02 03  |................|",
      "    ... and 24 bytes more (--max-bytes)",
    ]);
  });

  for (const [format, shown] of [
    ["hex", ["    00000000  61 1b                                             |a.|"]],
    ["text", ["    a\\u{1b}"]],
    ["none", []],
  ] as const) {
    it(`has --format ${format}`, async () => {
      const transcript = await tapped(echo, ["--format", format, "--only", "in"], async (path) => void (await converse(path, "a\x1b")));
      assert.deepEqual(settled(transcript).slice(1, -1), ["TIME #1 > 2 bytes", ...shown, "TIME #1 > end"]);
    });
  }

  it("shows only one direction with --only", async () => {
    const transcript = await tapped(shout, ["--only", "out"], async (path) => void (await converse(path, "text\n")));
    assert.deepEqual(settled(transcript), [
      "TIME #1 connected: PEER",
      "TIME #1 < 5 bytes",
      "    TEXT\\n",
      "TIME #1 < end",
      "TIME #1 closed after N s: 5 bytes in, 5 bytes out",
    ]);
  });

  it("prints lines of JSON for machines", async () => {
    const transcript = await tapped(echo, ["--json"], async (path) => {
      await converse(path, "text ü");
      const [reader, writer] = await openUnixConnection(path);
      writer.write(Buffer.from([0xff, 0]));
      await reader.readexactly(2);
      writer.close();
      await writer.waitClosed();
    });
    const events = transcript
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const event of events) assert.match(event["time"] as string, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const told = events.map((event) =>
      Object.fromEntries(Object.entries(event).filter(([name]) => !["time", "peer", "ms"].includes(name))),
    );
    assert.deepEqual(told.slice(0, 6), [
      { connection: 1, event: "open" },
      { connection: 1, event: "data", direction: "in", bytes: 7, text: "text ü" },
      { connection: 1, event: "end", direction: "in" },
      { connection: 1, event: "data", direction: "out", bytes: 7, text: "text ü" },
      { connection: 1, event: "end", direction: "out" },
      { connection: 1, event: "close", in: 7, out: 7 },
    ]);
    assert.deepEqual(told[7], { connection: 2, event: "data", direction: "in", bytes: 2, base64: "/wA=" });
  });

  it("omits the bytes from JSON with --format none, and gives base64 with --format hex", async () => {
    const nothing = await tapped(echo, ["--json", "--format", "none", "--only", "in"], async (path) => void (await converse(path, "text")));
    const data = JSON.parse(nothing.split("\n")[1] as string) as object;
    assert.deepEqual(Object.keys(data), ["time", "connection", "event", "direction", "bytes"]);
    const hex = await tapped(echo, ["--json", "--format", "hex", "--only", "in"], async (path) => void (await converse(path, "text")));
    assert.equal((JSON.parse(hex.split("\n")[1] as string) as { base64: string }).base64, "dGV4dA==");
  });

  it("has colours only if asked, on a pipe", async () => {
    const plain = await tapped(echo, [], async (path) => void (await converse(path, "text")));
    assert.equal(plain, visible(plain));
    const coloured = await tapped(echo, ["--color", "always"], async (path) => void (await converse(path, "text")));
    assert.match(visible(coloured), /␛\[36m> 4 bytes␛\[0m\n {4}␛\[36mtext␛\[0m\n/);
  });

  it("passes megabytes through while the transcript is read slowly", async () => {
    const bytes = payload(1_000_003);
    let count = 0;
    const transcript = await tapped(echo, ["--format", "hex", "--max-bytes", "1000000"], async (path) => {
      const [reader, writer] = await openUnixConnection(path);
      writer.write(bytes);
      writer.writeEof();
      assert.ok((await reader.read()).equals(bytes));
      writer.close();
      await writer.waitClosed();
      count += 1;
    });
    assert.equal(count, 1);
    assert.match(settled(transcript).at(-1) ?? "", /closed after N s: 976\.6 KiB in, 976\.6 KiB out/);
  });

  it("relays between TCP, TLS and Unix sockets, and shows the plaintext", async () => {
    const server = await startServer(shout, "localhost", 0, { ssl: identity("server"), onClientError: () => {} });
    const [, port] = addressOf(server) as readonly [string, number];
    const files = ["--cert", certificateFile("server"), "--key", keyFile("server"), "--ca", certificateFile("ca")];
    await using tap = start("tap", ...files, "tls://127.0.0.1:0", `tls://localhost:${port}`);
    const [, tapPort] = await tap.until("stderr", /^asyncio-streams: tls:\/\/127\.0\.0\.1:(\d+) leads to tls:\/\/localhost:\d+\n/);
    const [reader, writer] = await openConnection("127.0.0.1", Number(tapPort), { ssl: trust, serverHostname: "localhost" });
    writer.write("secret\n");
    assert.equal(String(await reader.readline()), "SECRET\n");
    writer.close();
    await writer.waitClosed();
    await tap.until("stdout", /#1 closed/);
    assert.match(String(tap.stdout), /#1 connected: 127\.0\.0\.1:\d+\n[^]*secret\\n\n[^]*SECRET\\n\n/);
    assert.equal((await tap.kill("SIGINT")).code, 0);
    await server.shutdown({ graceMs: 0 });
  });

  it("reports a target that cannot be reached, and goes on", async () => {
    const [path, target] = [socketPath(), socketPath()];
    await using tap = start("tap", "--quiet", path, target);
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      while ((await run(["connect", path])).code !== 0);
      await tap.until("stdout", /cannot connect to .*: no such file \(ENOENT\)\n/);
    }
    assert.equal((await tap.kill("SIGTERM")).stderr, "");
  });

  for (const [from, to] of [
    ["client", "target"],
    ["target", "client"],
  ]) {
    it(`passes a reset of the ${from} on to the ${to}`, async () => {
      await using far = await bareServer();
      await using tap = start("tap", "127.0.0.1:0", `127.0.0.1:${far.port}`);
      const [, port] = await tap.until("stderr", /^asyncio-streams: 127\.0\.0\.1:(\d+)/);
      const client = net.connect(Number(port), "127.0.0.1");
      const target = await far.accepted();
      client.write("x");
      await once(target.resume(), "data");
      target.write("y");
      await once(client, "data");
      const other = from === "client" ? target : client;
      const ended = new Promise<string>((resolve) => {
        other.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
        other.once("end", () => resolve("end"));
      });
      (from === "client" ? client : target).on("error", () => {}).resetAndDestroy();
      assert.equal(await ended, canReset ? "ECONNRESET" : "end");
      await tap.until("stdout", new RegExp(`the ${from} has broken off: the peer has reset the connection \\(ECONNRESET\\)`));
      await tap.until("stdout", /#1 closed/);
      client.destroy();
      assert.equal((await tap.kill("SIGTERM")).code, 0);
    });
  }

  it("delivers the answer of a target that ends before it has read everything", async () => {
    const refuse: Serve = async (reader, writer) => {
      await reader.readexactly(10);
      writer.write("too large\n");
      await writer.drain();
      writer.close();
    };
    const transcript = await tapped(refuse, ["--format", "none"], async (path, tap) => {
      const [reader, writer] = await openUnixConnection(path);
      const flood = (async () => {
        for (;;) {
          writer.write("x".repeat(65_536));
          await writer.drain();
        }
      })().catch(() => {});
      assert.equal(String(await reader.readline()), "too large\n");
      await flood;
      writer.abort();
      await tap.until("stdout", /#1 closed/);
    });
    assert.match(transcript, /cannot send to the target|the target has broken off/);
  });

  it("lets connections go on after a signal, for --grace seconds", async () => {
    await tapped(shout, ["--grace", "2"], async (path, tap) => {
      const [reader, writer] = await openUnixConnection(path);
      writer.write("one\n");
      await reader.readline();
      tap.signal("SIGINT");
      await tap.until("stderr", /1 connection goes on; a second signal cuts it\n/);
      writer.write("two\n");
      assert.equal(String(await reader.readline()), "TWO\n");
      await reader.read().catch(() => {}); // until the connection is cut
      writer.abort();
      await tap.ended;
    });
  });

  it("ends when the reader of its output has ended", async () => {
    const [path, target] = [socketPath(), socketPath()];
    const server = await startUnixServer(shout, target);
    const script = `{ ${commandText("tap", path, target)}; echo "exit code $?" >&2; } | head -1`;
    await using tap = new Running(["sh", "-c", script]);
    await tap.until("stderr", /leads to/);
    assert.equal(await converse(path, "one\n"), "ONE\n");
    await tap.until("stdout", /connected/);
    await converse(path, "two\n").catch(() => {});
    await tap.until("stderr", /exit code 141\n/);
    await server.shutdown();
  });

  it("refuses a wrong target at the start", async () => {
    assert.match(await failure(1, ["tap", "--ca", "/no/such", "a.sock", "tls://a:1"]), /cannot read --ca/);
  });
});
