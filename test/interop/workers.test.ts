/**
 * The Workers of docs/guide/workers.md in workerd, each bundled from the built package as a Worker's project bundles it, with a server of ours
 * at the other end.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type StreamReader, type StreamWriter, startServer } from "asyncio-streams";
import { readMarkdown } from "../docs/markdown.js";
import { identity } from "../support/certificates.js";
import { needsWorkerd, runWorker, type WorkerRun } from "./workerd.js";

/** The code blocks, by what is written behind `js worker`: the kind of the server. */
const blocks = new Map(
  readMarkdown("docs/guide/workers.md")
    .blocks.filter(({ info }) => info.startsWith("js worker"))
    .map(({ info, code }) => [info.slice("js worker".length).trim() || "tcp", code]),
);

/** Sends back what it receives, behind a STARTTLS if it is of that kind. */
function echoing(kind: string): (reader: StreamReader, writer: StreamWriter) => Promise<void> {
  return async (reader, writer) => {
    if (kind === "starttls") {
      assert.equal(String(await reader.readline()), "STARTTLS\n");
      writer.write("go ahead\n");
      await writer.startTls(identity("server"));
    }
    for await (const line of reader) {
      writer.write(line);
      await writer.drain();
    }
    writer.close();
  };
}

/** Runs a Worker against a server of a kind. The names and ports of the page are replaced by the server's. */
async function runAgainst(kind: string, code: string, date: "2026-11-01" | "2026-01-01"): Promise<WorkerRun> {
  const errors: unknown[] = [];
  const server = await startServer(echoing(kind), "127.0.0.1", 0, {
    onClientError: (error) => void errors.push(error),
    ...(kind === "tls" ? { ssl: identity("server") } : {}),
  });
  const [, port] = server.sockets[0]?.getsockname() as readonly [string, number];
  const here = code
    .replace("203.0.113.7", "127.0.0.1")
    .replace("lines.example.org", "localhost")
    .replaceAll(/\b700\d\b/g, String(port));
  const run = await runWorker(here, date);
  await server.shutdown({ graceMs: 5_000 });
  assert.deepEqual(errors, [], `${run.body}\n${run.log}`);
  return run;
}

/** Calls that the platform cannot carry out, and uses of what is independent of it. */
const EVERYTHING_ELSE = `
import { copy, openConnection, openUnixConnection, startServer, startUnixServer, StreamReader, toDuplex } from "asyncio-streams";
import { Framed, ndjson } from "asyncio-streams/framing";
import { memoryPair } from "asyncio-streams/testing";
const PORT = 7000;
async function outcome(call) {
  try {
    return await call();
  } catch (error) {
    return error.code ?? error.name;
  }
}
export default {
  async fetch() {
    const [here, there] = memoryPair();
    const one = new Framed(here.reader, here.writer, ndjson());
    const other = new Framed(there.reader, there.writer, ndjson());
    one.writeFrame({ id: 1 });
    return Response.json({
      memory: await other.readFrame(),
      adapters: await outcome(async () => {
        const [near, far] = memoryPair();
        const source = StreamReader.from(new Blob(["copied"]).stream());
        const copied = await copy(source, near.writer);
        near.writer.writeEof();
        let text = "";
        for await (const chunk of toDuplex(far.reader, far.writer)) text += chunk;
        return [copied, text];
      }),
      unix: await outcome(() => openUnixConnection("/tmp/made-up.sock")),
      unixServer: await outcome(() => startUnixServer(() => {}, "/tmp/made-up.sock")),
      server: await outcome(() => startServer(() => {}, "127.0.0.1", 0)),
      ssl: await outcome(() => openConnection("127.0.0.1", PORT, { ssl: true, serverHostname: "localhost" })),
      startTls: await outcome(async () => {
        const [, writer] = await openConnection("127.0.0.1", PORT);
        try {
          await writer.startTls(true, { serverHostname: "localhost" });
        } finally {
          writer.close();
        }
      }),
      refused: await outcome(() => openConnection("127.0.0.1", 1)),
      timeout: await outcome(async () => {
        const [reader, writer] = await openConnection("127.0.0.1", PORT);
        try {
          await reader.readline({ timeout: 20 });
        } finally {
          writer.close();
        }
      }),
      size: await outcome(async () => {
        const [reader, writer] = await openConnection("127.0.0.1", PORT);
        const line = new Uint8Array(60_000).fill(97);
        line[line.length - 1] = 10;
        const sending = (async () => {
          for (let count = 0; count < 100; count += 1) {
            writer.write(line);
            await writer.drain();
          }
          writer.writeEof();
        })();
        let size = 0;
        for await (const chunk of reader.chunks()) size += chunk.length;
        await sending;
        writer.close();
        return size;
      }),
    });
  },
};
`;

/** Connects to a server whose certificate no authority of the tests has signed. */
const FAILING_TLS = `
import { connect } from "cloudflare:sockets";
import { StreamReader } from "asyncio-streams";
export default {
  async fetch() {
    const socket = connect({ hostname: "localhost", port: 7001 }, { secureTransport: "on", allowHalfOpen: true });
    socket.closed.catch(() => {});
    const [opened, read] = await Promise.allSettled([socket.opened, StreamReader.from(socket.readable).readline()]);
    return Response.json([opened.status, read.status]);
  },
};
`;

/** The platform's own code, without the library. */
const CONTROL = `
import net from "node:net";
import tls from "node:tls";
export default {
  async fetch() {
    const socket = net.connect(7000, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    const messages = [];
    for (const call of [() => tls.connect({ socket }), () => net.connect({ path: "/tmp/made-up.sock" })]) {
      try {
        call();
      } catch (error) {
        messages.push(error.message);
      }
    }
    socket.destroy();
    return Response.json(messages);
  },
};
`;

/** The other entries. Without their modules of Node, older dates refuse the import. */
const OTHER_ENTRIES = `
import { createSubprocessExec, stdio } from "asyncio-streams/process";
import { loadUnix } from "asyncio-streams/unix";
const code = (error) => error.code;
export default {
  async fetch() {
    return Response.json([await createSubprocessExec("true").catch(code), await loadUnix().catch(code), typeof stdio]);
  },
};
`;

describe("a Worker", needsWorkerd, () => {
  it("is on the page for each kind of server", () => assert.deepEqual([...blocks.keys()], ["tcp", "tls", "starttls"]));

  for (const date of ["2026-11-01", "2026-01-01"] as const) {
    for (const [kind, code] of blocks) {
      it(`talks over ${kind}, with the compatibility date ${date}`, async () => {
        const { status, body, log } = await runAgainst(kind, code, date);
        assert.deepEqual([status, body], [200, '["first","second"]'], log);
        assert.doesNotMatch(log, /exception/i);
      });
    }

    it(`refuses what the platform lacks, with the compatibility date ${date}`, async () => {
      const { status, body, log } = await runAgainst("tcp", EVERYTHING_ELSE, date);
      assert.equal(status, 200, body);
      assert.deepEqual(JSON.parse(body), {
        memory: { id: 1 },
        adapters: [6, "copied"],
        unix: "ERR_UNSUPPORTED",
        unixServer: "ERR_UNSUPPORTED",
        server: "ERR_UNSUPPORTED",
        ssl: "ERR_UNSUPPORTED",
        startTls: "ERR_UNSUPPORTED",
        refused: "ECONNREFUSED",
        timeout: "TimeoutError",
        size: 6_000_000,
      });
      assert.doesNotMatch(log, /exception/i);
    });
  }

  it("gets the same failures from the modules of the platform", async () => {
    const { body } = await runAgainst("tcp", CONTROL, "2026-11-01");
    const [secured = "", unix = ""] = JSON.parse(body) as readonly string[];
    assert.match(secured, /Cannot call releaseLock\(\) on a reader with outstanding read promises/);
    assert.match(unix, /The argument 'path' is not supported/);
  });

  it("sees a failed TLS handshake in its first read", async () => {
    const server = await startServer(() => {}, "127.0.0.1", 0, { ssl: identity("self-signed"), onClientError: () => {} });
    const [, port] = server.sockets[0]?.getsockname() as readonly [string, number];
    const run = await runWorker(FAILING_TLS.replace("7001", String(port)), "2026-11-01");
    await server.shutdown({ graceMs: 0 });
    assert.deepEqual([run.status, run.body], [200, '["rejected","rejected"]'], run.log);
  });

  it("can import the entries for processes and Unix, which do nothing there", async () => {
    const { status, body } = await runWorker(OTHER_ENTRIES, "2026-11-01");
    assert.deepEqual([status, JSON.parse(body)], [200, ["ERR_METHOD_NOT_IMPLEMENTED", "ERR_UNSUPPORTED", "function"]]);
  });

  it("that fails has its exception in the log", async () => {
    const code = 'export default { async fetch() { Promise.reject(new Error("made up")); throw new Error("made up"); } };';
    const { status, log } = await runWorker(code, "2026-11-01");
    assert.equal(status, 500);
    assert.match(log, /exception/i);
  });
});
