/** `asyncio-streams connect` against servers of the library, with pipes as a shell makes them. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Server, type StreamReader, type StreamWriter, startServer, startUnixServer } from "asyncio-streams";
import { addressOf } from "../support/addresses.js";
import { bareServer } from "../support/bare-sockets.js";
import { certificateFile, identity, keyFile } from "../support/certificates.js";
import { payload } from "../support/payload.js";
import { cannot } from "../support/runtime.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { until } from "../support/turns.js";
import { commandText, failure, Running, run, start } from "./running.js";

const MIB = 2 ** 20;

type Serve = (reader: StreamReader, writer: StreamWriter) => Promise<void>;

const echo: Serve = async (reader, writer) => {
  for await (const chunk of reader.chunks()) {
    writer.write(chunk);
    await writer.drain();
  }
  writer.close();
};

async function serving<Result>(serve: Serve, use: (path: string, server: Server) => Promise<Result>): Promise<Result> {
  const path = socketPath("a server.sock");
  const server = await startUnixServer(serve, path, { onClientError: () => {} });
  try {
    return await use(path, server);
  } finally {
    await server.shutdown({ graceMs: 0 });
  }
}

function tcpAddress(server: Server): string {
  const [host, port] = addressOf(server) as readonly [string, number];
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Several periods of the payload. */
const much = (mebibytes: number): Buffer => Buffer.concat(Array.from({ length: mebibytes }, (_, index) => payload(MIB - 3, 7 * index)));

const sha1 = (bytes: Uint8Array): string => createHash("sha1").update(bytes).digest("hex");

describe("connect", () => {
  it("sends its input, passes its end on, and prints the answer that comes after it", async () => {
    const answer: Serve = async (reader, writer) => {
      const question = await reader.read();
      writer.write(`you sent ${question.length} bytes: ${question}`);
      writer.close();
    };
    await serving(answer, async (path) => {
      const { code, stdout, stderr } = await run(["connect", path], "hello\n");
      assert.deepEqual([code, String(stdout), stderr], [0, "you sent 6 bytes: hello\n", ""]);
    });
  });

  it("passes 8 MiB of any bytes through, both ways at the same time", async () => {
    await serving(echo, async (path) => {
      const { code, stdout } = await run(["connect", path], much(8));
      assert.deepEqual([code, stdout.length, sha1(stdout)], [0, much(8).length, sha1(much(8))]);
    });
  });

  it("connects over TCP, to IPv6 too", async () => {
    for (const host of ["127.0.0.1", "::1"]) {
      const server = await startServer(echo, host, 0);
      assert.equal(String((await run(["connect", tcpAddress(server)], "over TCP")).stdout), "over TCP");
      await server.shutdown();
    }
  });

  it("takes /dev/null and a closed input for an end", async () => {
    await serving(echo, async (path) => {
      for (const input of ["</dev/null", "<&-"]) {
        const ended = await new Running(["sh", "-c", `exec ${commandText("connect", path)} ${input}`]).ended;
        assert.deepEqual([ended.code, ended.stderr], [0, ""], input);
      }
    });
  });

  it("ends when the server ends, though its input has not", cannot("unix-server-that-ends-at-once", "bun"), async () => {
    const goodbye: Serve = async (_, writer) => {
      writer.write("goodbye\n");
      writer.close();
    };
    await serving(goodbye, async (path) => {
      await using command = start("connect", path);
      const { code, stdout } = await command.ended;
      assert.deepEqual([code, String(stdout)], [0, "goodbye\n"]);
    });
  });

  it("sends the rest of its input after the server has ended its side", async () => {
    let received = "";
    const listen: Serve = async (reader, writer) => {
      writer.writeEof();
      received = String(await reader.read());
      writer.close();
    };
    await serving(listen, async (path, server) => {
      const { code } = await run(["connect", path], payload(MIB));
      assert.equal(code, 0);
      await until(() => received !== "" && server.getStats().active === 0);
    });
  });

  it("fails if the server ends before it has taken the input", async () => {
    const leave: Serve = async (reader, writer) => {
      await reader.read(1);
      writer.close();
    };
    await serving(leave, async (path) => {
      const ended = await run(["connect", path], much(4));
      assert.equal(ended.code, 1, ended.stderr);
      assert.match(ended.stderr, /^asyncio-streams: (?:not all input was sent to|the connection to) [^\n]+\n$/);
    });
  });

  it("fails if the server ends its side and never takes the input", async () => {
    const stall: Serve = async (reader, writer) => {
      writer.writeEof();
      await new Promise((resolve) => reader.toReadable().on("close", resolve));
    };
    await serving(stall, async (path) => {
      const ended = await run(["connect", path], much(4));
      assert.equal(ended.code, 1, ended.stderr);
      assert.match(ended.stderr, /^asyncio-streams: not all input was sent to [^\n]+: it has ended\n$/);
    });
  });

  it("keeps the connection open at the end of its input with --keep-open", async () => {
    let ended = false;
    const answer: Serve = async (reader, writer) => {
      const line = await reader.readline();
      void reader.read().then(() => (ended = true));
      await new Promise((resolve) => setTimeout(resolve, 100));
      writer.write(`${ended ? "ended" : "open"} after ${line}`);
      writer.close();
    };
    await serving(answer, async (path) => {
      assert.equal(String((await run(["connect", "--keep-open", path], "a line\n")).stdout), "open after a line\n");
    });
  });

  it("writes the line ends of network protocols with --crlf, and a hex dump with --hex", async () => {
    await serving(echo, async (path) => {
      const { stdout } = await run(["connect", "--crlf", "--hex", path], "a\nb\r\n");
      assert.equal(String(stdout), "00000000  61 0d 0a 62 0d 0a                                 |a..b..|\n");
    });
  });

  it("exits with 124 if nothing comes for --timeout seconds", async () => {
    await using far = await bareServer(socketPath());
    const ended = await run(["connect", "--timeout", "0.3", far.path], "hello");
    assert.deepEqual([ended.code, ended.stderr], [124, "asyncio-streams: nothing was sent or received for 0.3 s (--timeout)\n"]);
  });

  it("does not count the time-out while bytes come", async () => {
    const slowly: Serve = async (_, writer) => {
      for (let count = 0; count < 8; count += 1) {
        writer.write(".");
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      writer.close();
    };
    await serving(slowly, async (path) => {
      const { code, stdout } = await run(["connect", "--timeout", "1", path]);
      assert.deepEqual([code, String(stdout)], [0, "........"]);
    });
  });

  it("exits with 124 if it cannot begin TLS in time", async () => {
    await using far = await bareServer();
    assert.match(await failure(124, ["connect", "--timeout", "0.3", `tls://localhost:${far.port}`]), /--timeout/);
  });

  it("ends without a word when the reader of its output has ended", async () => {
    const flood: Serve = async (_, writer) => {
      for (;;) {
        writer.write("line\n".repeat(1000));
        await writer.drain();
      }
    };
    await serving(flood, async (path) => {
      const script = `{ ${commandText("connect", path)}; echo "exit code $?" >&2; } | head -1`;
      const { stdout, stderr } = await new Running(["sh", "-c", script], { stdio: ["ignore", "pipe", "pipe"] }).ended;
      assert.deepEqual([String(stdout), stderr], ["line\n", "exit code 141\n"]);
    });
  });

  it("reports an output that cannot be written", async (t) => {
    if (process.platform !== "linux") return t.skip("needs /dev/full");
    await serving(echo, async (path) => {
      const output = openSync("/dev/full", "w");
      const { code, stderr } = await new Running(["sh", "-c", `echo x | ${commandText("connect", path)}`], {
        stdio: ["ignore", output, "pipe"],
      }).ended;
      closeSync(output);
      assert.deepEqual(
        [code, stderr],
        [1, "asyncio-streams: cannot write to the standard output: no space is left on the device (ENOSPC)\n"],
      );
    });
  });

  it("does not take an input that cannot be read for an end", async () => {
    const file = join(temporaryDirectory(), "write-only");
    await serving(echo, async (path) => {
      const { code, stderr } = await new Running(["sh", "-c", `exec ${commandText("connect", path)} 0>${file}`]).ended;
      assert.equal(code, 1);
      assert.match(stderr, /^asyncio-streams: cannot read the standard input: [^\n]*EBADF[^\n]*\n$/);
    });
  });

  it("exits with 128 and the number of the signal", async () => {
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ] as const) {
      await serving(echo, async (path) => {
        await using command = start("connect", path);
        command.send("x");
        await command.until("stdout", /x/);
        assert.equal((await command.kill(signal)).code, code);
      });
    }
  });

  it("reports a reset", async () => {
    await using far = await bareServer();
    await using command = start("connect", `127.0.0.1:${far.port}`);
    command.send("x");
    const socket = await far.accepted();
    await once(socket.resume(), "data");
    socket.resetAndDestroy();
    const { code, stderr } = await command.ended;
    assert.deepEqual(
      [code, stderr.replace(/\d{4,}/, "PORT")],
      [1, "asyncio-streams: the connection to 127.0.0.1:PORT failed: the peer has reset the connection (ECONNRESET)\n"],
    );
  });

  it("says in one line why it cannot connect", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "a file"), "");
    assert.match(await failure(1, ["connect", `${directory}/none`]), /none: no such file \(ENOENT\)$/);
    assert.match(await failure(1, ["connect", "no-such-name"]), /no such file \(ENOENT\); for TCP, write no-such-name:PORT$/);
    assert.match(
      await failure(1, ["connect", join(directory, "a file")]),
      /no server listens there \(ECONNREFUSED\); asyncio-streams doctor '/,
    );
    assert.match(
      await failure(1, ["connect", `${directory}/${"x".repeat(120)}`]),
      /the path of the Unix socket has \d+ bytes: the limit is \d+ \(ENAMETOOLONG\)$/,
    );
    assert.match(await failure(1, ["connect", "no-such-host.invalid:80"]), /unknown host|name server|cannot resolve the name/);
    const stale = await staleSocket(join(directory, "stale.sock"));
    assert.match(await failure(1, ["connect", stale]), /ECONNREFUSED.*doctor/);
    await new Running(["rm", stale]).ended;
  });
});

describe("connect over TLS", () => {
  const answer: Serve = async (reader, writer) => {
    writer.write(`secret: ${await reader.readline()}`);
    writer.close();
  };

  it("checks the certificate, by --ca and by the name", async () => {
    const server = await startServer(answer, "localhost", 0, { ssl: identity("server"), onClientError: () => {} });
    const [, port] = addressOf(server) as readonly [string, number];
    const address = `tls://localhost:${port}`;
    const ca = ["--ca", certificateFile("ca")];
    const trusted = await run(["connect", ...ca, address], "a line\n");
    assert.deepEqual([trusted.code, String(trusted.stdout)], [0, "secret: a line\n"]);
    assert.match(
      await failure(1, ["connect", address]),
      /^cannot connect to tls:.*; --ca FILE trusts another authority, --insecure any certificate$/,
    );
    assert.match(await failure(1, ["connect", ...ca, "--servername", "example.org", address]), /example\.org/);
    assert.equal(String((await run(["connect", "--insecure", address], "a line\n")).stdout), "secret: a line\n");
    await server.shutdown();
  });

  it("sends the certificate of the client", async () => {
    const ssl = { ...identity("server"), ca: identity("ca").cert, requestCert: true, rejectUnauthorized: true };
    const server = await startServer(answer, "localhost", 0, { ssl, onClientError: () => {} });
    const [, port] = addressOf(server) as readonly [string, number];
    const own = ["--cert", certificateFile("client"), "--key", keyFile("client"), "--ca", certificateFile("ca")];
    assert.equal(String((await run(["connect", ...own, `tls://localhost:${port}`], "x\n")).stdout), "secret: x\n");
    await server.shutdown();
  });

  it("reports a file that it cannot read", async () => {
    assert.match(
      await failure(1, ["connect", "--ca", "/no/such", "tls://a:1"]),
      /cannot read --ca \/no\/such: no such file or directory \(ENOENT\)/,
    );
  });
});
