/**
 * How TLS connections end, in each role and for each way the peer may leave: one table for us and for CPython, whose side `endings.py` tells.
 *
 * Our peer is Node's own TLS behind a relay, which can leave without a word of TLS.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import tls from "node:tls";
import { ConnectionTimeoutError, type StreamReader, type StreamWriter } from "asyncio-streams";
import { dial } from "../support/addresses.js";
import { certificatesFolder, identity, trust } from "../support/certificates.js";
import { needs } from "../support/needs.js";
import { tcp } from "../support/pairs.js";
import { findPython } from "../support/python.js";
import { type Lane, Relay } from "../support/relay.js";
import { testFile } from "../support/repository.js";
import { connectTo, listen } from "../support/tls-kinds.js";

interface Transcript {
  readonly readline: string;
  /** What is read after the line, where it is the peer that leaves. */
  readonly read?: string;
  readonly at_eof?: boolean;
  readonly wait_closed: string;
}

const cleanly: Transcript = { readline: "hello\n", read: "", at_eof: true, wait_closed: "done" };

/** What CPython tells, in both roles. An end without close_notify is an end like any other. */
const expected: Readonly<Record<string, Transcript>> = {
  close_notify_then_end: cleanly,
  close_notify_only: cleanly,
  end_without_close_notify: cleanly,
  end_inside_a_record: cleanly,
  reset: { readline: "hello\n", read: "ConnectionResetError", at_eof: false, wait_closed: "ConnectionResetError" },
  answers_close_notify: { readline: "hello\n", wait_closed: "done" },
  ends_instead_of_answering: { readline: "hello\n", wait_closed: "done" },
  never_answers: { readline: "hello\n", wait_closed: "TimeoutError" },
};

/** How our peer leaves; `lane` is the relay's, from it to us. */
const leave: Readonly<Record<keyof typeof expected, (peer: tls.TLSSocket, lane: Lane) => unknown>> = {
  close_notify_then_end: (peer) => peer.end(),
  close_notify_only(peer, lane) {
    lane.keepOpen();
    peer.end();
  },
  end_without_close_notify: (_peer, lane) => lane.stop("end"),
  end_inside_a_record(peer, lane) {
    lane.stopAfter(500, "end");
    peer.write(Buffer.alloc(1_000));
  },
  reset: (_peer, lane) => lane.stop("reset"),
  answers_close_notify: (peer) => peer.once("end", () => peer.end()),
  ends_instead_of_answering: (peer, lane) => peer.once("end", () => lane.stop("end")),
  never_answers: (_peer, lane) => lane.stop("silence"),
};

/** Short where the peer never answers, and else far longer than a busy machine takes. */
function shutdownTimeout(name: string): number {
  return name === "never_answers" ? 100 : 20_000;
}

const python = findPython(11);

/** An outcome in CPython's words. */
async function outcome(promise: Promise<Buffer | void>): Promise<string> {
  try {
    const result = await promise;
    return result === undefined ? "done" : result.toString();
  } catch (error) {
    if (error instanceof ConnectionTimeoutError) return "TimeoutError";
    return (error as { code?: string }).code === "ECONNRESET" ? "ConnectionResetError" : String(error);
  }
}

async function transcript([reader, writer]: readonly [StreamReader, StreamWriter], peerLeaves: boolean): Promise<Transcript> {
  const readline = await outcome(reader.readline());
  writer.write("go\n");
  const left = peerLeaves ? { read: await outcome(reader.read()), at_eof: reader.atEof() } : {};
  writer.close();
  return { readline, ...left, wait_closed: await outcome(writer.waitClosed()) };
}

/** The peer's part: greets, waits for the answer, leaves. */
function play(peer: tls.TLSSocket, lane: () => Lane, name: string): void {
  peer.on("error", () => {});
  peer.write("hello\n");
  peer.once("data", () => leave[name]?.(peer, lane()));
}

async function asServer(name: string, peerLeaves: boolean): Promise<Transcript> {
  let told!: Promise<Transcript>;
  await using ours = await listen(tcp, { sslShutdownTimeout: shutdownTimeout(name) }, (reader, writer) => {
    told = transcript([reader, writer], peerLeaves);
  });
  await using relay = await Relay.to(ours.address);
  const options = { ...dial(relay.address), ...trust, servername: "localhost", allowHalfOpen: true };
  const peer = tls.connect(options as tls.ConnectionOptions);
  await once(peer, "secureConnect");
  play(peer, () => relay.link.toServer, name);
  while (told === undefined) await once(peer, "data");
  const result = await told;
  peer.destroy();
  return result;
}

async function asClient(name: string, peerLeaves: boolean): Promise<Transcript> {
  const server = tls.createServer({ ...identity("server"), allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await using relay = await Relay.to(["127.0.0.1", port]);
  const peers: tls.TLSSocket[] = [];
  server.on("secureConnection", (peer) => {
    peers.push(peer);
    play(peer, () => relay.link.toClient, name);
  });
  const told = await transcript(await connectTo(relay.address, { sslShutdownTimeout: shutdownTimeout(name) }), peerLeaves);
  for (const peer of peers) peer.destroy();
  await new Promise((resolve) => server.close(resolve));
  return told;
}

for (const [role, run] of [
  ["client", asClient],
  ["server", asServer],
] as const) {
  describe(`the end of TLS for a ${role}`, () => {
    for (const [name, told] of Object.entries(expected)) {
      it(`is CPython's in the case: ${name.replaceAll("_", " ")}`, async () => {
        assert.deepEqual(await run(name, told.read !== undefined), told);
      });
    }
  });
}

describe("the table of ends", () => {
  it("is what CPython records", needs(python), () => {
    const { stdout, stderr } = spawnSync(python.binary, [testFile("tls/endings.py"), certificatesFolder], { encoding: "utf8" });
    assert.equal(stderr, "");
    assert.deepEqual(JSON.parse(stdout), { client: expected, server: expected });
  });
});
