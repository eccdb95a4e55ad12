/**
 * Every public call with an options object refuses an option that it does not have, by name. A misspelt `timeout` that is ignored is a wait
 * without end. The last test compares the list below with the declarations.
 */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import {
  BaseProtocol,
  connectAcceptedSocket,
  copy,
  createConnection,
  createServer,
  createUnixConnection,
  createUnixServer,
  openConnection,
  openUnixConnection,
  relay,
  type Server,
  StreamReader,
  StreamReaderProtocol,
  startServer,
  startTls,
  startUnixServer,
  toDuplex,
} from "asyncio-streams";
import { contentLength, delimited, Framed, frameBatches, frames, lengthPrefixed, ndjson, netstring } from "asyncio-streams/framing";
import { connectReadPipe, createSubprocessExec, createSubprocessShell, type Process, stdio } from "asyncio-streams/process";
import { checkTransport, connectMemory, memoryPair, RecordingProtocol } from "asyncio-streams/testing";
import { bareConnection } from "../support/bare-sockets.js";
import { identity } from "../support/certificates.js";
import { root } from "../support/repository.js";
import { socketPath } from "../support/temporary.js";

const makeProtocol = (): BaseProtocol => new BaseProtocol();
const serve = (): void => {};

/** A reader and a writer of one connection. */
function streams(): ReturnType<typeof memoryPair>[0] {
  const [end, peer] = memoryPair();
  peer.writer.write("first\nsecond\n"); // so that a call whose options are ignored succeeds
  return end;
}

/** Runs a call on a server that listens, and closes the server. */
async function onServer(call: (server: Server) => Promise<unknown>): Promise<unknown> {
  const server = await startUnixServer(serve, socketPath());
  try {
    return await call(server);
  } finally {
    server.close();
    await server.waitClosed();
  }
}

/** Runs a call on a process that has not ended, and ends it. */
async function onProcess(call: (child: Process) => Promise<unknown>): Promise<unknown> {
  const child = await createSubprocessExec("sleep", ["20"]);
  try {
    return await call(child);
  } finally {
    child.kill();
    await child.wait();
  }
}

/** Each call, with the options that it is given. */
const calls: Readonly<Record<string, (options: never) => unknown>> = {
  openUnixConnection: (options) => openUnixConnection(socketPath(), options),
  openConnection: (options) => openConnection("127.0.0.1", 1, options),
  createUnixConnection: (options) => createUnixConnection(makeProtocol, socketPath(), options),
  createConnection: (options) => createConnection(makeProtocol, "127.0.0.1", 1, options),
  startUnixServer: (options) => startUnixServer(serve, socketPath(), options),
  startServer: (options) => startServer(serve, "127.0.0.1", 0, options),
  createUnixServer: (options) => createUnixServer(makeProtocol, socketPath(), options),
  createServer: (options) => createServer(makeProtocol, "127.0.0.1", 0, options),
  startServing: (options) => onServer((server) => server.startServing(options)),
  serveForever: (options) => onServer((server) => server.serveForever(options)),
  shutdown: (options) => onServer((server) => server.shutdown(options)),
  "waitClosed of a server": (options) => onServer((server) => server.waitClosed(options)),
  "new StreamReader": (options) => new StreamReader(options),
  "StreamReader.from": (options) => StreamReader.from(Readable.from([]), options),
  "new StreamReaderProtocol": (options) => new StreamReaderProtocol(null, null, options),
  read: (options) => streams().reader.read(5, options),
  readline: (options) => streams().reader.readline(options),
  readexactly: (options) => streams().reader.readexactly(5, options),
  readuntil: (options) => streams().reader.readuntil("\n", options),
  peek: (options) => streams().reader.peek(5, options),
  readinto: (options) => streams().reader.readinto(new Uint8Array(5), options),
  skip: (options) => streams().reader.skip(5, options),
  lines: (options) => streams().reader.lines(options),
  readlines: (options) => streams().reader.readlines(options),
  lineBatches: (options) => streams().reader.lineBatches(options),
  chunks: (options) => streams().reader.chunks(5, options),
  toReadable: (options) => streams().reader.toReadable(options),
  drain: (options) => streams().writer.drain(options),
  flush: (options) => streams().writer.flush(options),
  waitClosed: (options) => {
    const { writer } = streams();
    writer.close();
    return writer.waitClosed(options);
  },
  startTls: (options) => streams().writer.startTls(true, options),
  "startTls of a protocol": (options) => startTls(streams().transport, makeProtocol(), true, options),
  connectAcceptedSocket: (options) => connectAcceptedSocket(makeProtocol, -1, options),
  toWritable: (options) => streams().writer.toWritable(options),
  setWriteBufferLimits: (options) => streams().transport.setWriteBufferLimits(options),
  toDuplex: (options) => {
    const { reader, writer } = streams();
    return toDuplex(reader, writer, options);
  },
  copy: (options) => copy(streams().reader, streams().writer, options),
  relay: (options) => {
    const [one, other] = [streams(), streams()];
    return relay([one.reader, one.writer], [other.reader, other.writer], options);
  },
  delimited: (options) => delimited("\n", options),
  contentLength: (options) => contentLength(options),
  lengthPrefixed: (options) => lengthPrefixed(options),
  ndjson: (options) => ndjson(options),
  netstring: (options) => netstring(options),
  frames: (options) => frames(streams().reader, delimited("\n"), options),
  frameBatches: (options) => frameBatches(streams().reader, delimited("\n"), options),
  ...Object.fromEntries(
    Object.entries({ delimited: delimited("\n"), lengthPrefixed: lengthPrefixed(), ndjson: ndjson(), netstring: netstring() }).map(
      ([name, codec]) => [`readFrame of ${name}`, (options: never) => codec.readFrame(streams().reader, options)],
    ),
  ),
  "readFrame of Framed": (options) => framed().readFrame(options),
  "readFrames of Framed": (options) => framed().readFrames(options),
  "frameBatches of Framed": (options) => framed().frameBatches(options),
  "drain of Framed": (options) => framed().drain(options),
  createSubprocessExec: (options) => createSubprocessExec("true", [], options),
  createSubprocessShell: (options) => createSubprocessShell("true", options),
  stdio: (options) => stdio(options),
  connectReadPipe: (options) => connectReadPipe(Readable.from([]), options),
  wait: (options) => onProcess((child) => child.wait(options)),
  communicate: (options) => onProcess((child) => child.communicate(undefined, options)),
  checkTransport: (options) => checkTransport(() => {}, undefined, options),
  connectMemory: (options) => connectMemory(new RecordingProtocol(), new RecordingProtocol(), options),
  memoryPair: (options) => memoryPair(options),
};

function framed(): Framed<Buffer> {
  const { reader, writer } = streams();
  return new Framed<Buffer, never>(reader, writer, delimited("\n")) as Framed<Buffer>;
}

/** The calls without a time-out: the one for good reason, the others because they do not wait for anything. */
const WITHOUT_TIMEOUT = new Set([
  "shutdown",
  "createSubprocessExec",
  "createSubprocessShell",
  "stdio",
  "connectReadPipe",
  "new StreamReader",
  "StreamReader.from",
  "new StreamReaderProtocol",
  "toReadable",
  "toWritable",
  "toDuplex",
  "setWriteBufferLimits",
  "delimited",
  "contentLength",
  "lengthPrefixed",
  "ndjson",
  "netstring",
  "connectMemory",
  "memoryPair",
]);

/** Settles a call that may throw, reject, or return at once. */
const settled = async (name: string, options: object): Promise<unknown> => await (calls[name] as (given: object) => unknown)(options);

describe("an option that a call does not have", () => {
  for (const name of Object.keys(calls)) {
    const call = name.split(" of ")[0] as string;
    const inMessage = call === "readFrame" ? "readFrame" : call;
    it(`is refused by ${name}()`, async () => {
      for (const option of ["timeuot", "tmieout", "nonsense", "deadline"]) {
        await assert.rejects(settled(name, { [option]: 5 }), (error: Error & { code?: string }) => {
          assert.equal(`${error.name} ${error.code}`, "TypeError ERR_INVALID_ARG_VALUE");
          assert.ok(
            error.message.startsWith(`${inMessage}() has no option ${JSON.stringify(option)}: `) || call === "setWriteBufferLimits",
            error.message,
          );
          assert.ok(error.message.includes(`${option}"`), error.message);
          return true;
        });
      }
    });
  }

  for (const name of WITHOUT_TIMEOUT) {
    it(`is refused by ${name}() also if it is timeout`, async () => {
      await assert.rejects(settled(name, { timeout: 5 }), /has no option "(limits\.)?timeout"/);
    });
  }

  it("is refused within an option, too", async () => {
    await assert.rejects(
      startUnixServer(serve, socketPath(), { owner: { user: 0 } as never }),
      /^TypeError: startUnixServer\(\) has no option "owner.user"/,
    );
    assert.throws(
      () => memoryPair({ hostile: { cuts: () => 1 } as never }),
      /^TypeError: memoryPair\(\) has no option "hostile.cuts": did you mean "hostile.cut"\?/,
    );
  });

  it("closes a sock that was handed over with it", async () => {
    for (const open of [
      (sock: net.Socket) => openUnixConnection(null, { sock, timeuot: 5 } as never),
      (sock: net.Socket) => createUnixConnection(makeProtocol, null, { sock, timeuot: 5 } as never),
    ]) {
      const { far, socket } = await bareConnection("unix");
      await using _ = far;
      await assert.rejects(open(socket), /has no option "timeuot"/);
      assert.ok(socket.destroyed);
    }
    const server = net.createServer().listen(socketPath());
    await new Promise((resolve) => server.once("listening", resolve));
    await assert.rejects(startUnixServer(serve, null, { sock: server, modus: 0o600 } as never), /has no option "modus"/);
    assert.ok(!server.listening);
  });
});

describe("an option that a read does not have", () => {
  const reads: Readonly<Record<string, (reader: StreamReader, options: never) => Promise<unknown>>> = {
    read: (reader, options) => reader.read(5, options),
    readline: (reader, options) => reader.readline(options),
    readexactly: (reader, options) => reader.readexactly(5, options),
    readuntil: (reader, options) => reader.readuntil("\n", options),
    readlines: (reader, options) => reader.readlines(options),
    peek: (reader, options) => reader.peek(5, options),
    readinto: (reader, options) => reader.readinto(new Uint8Array(5), options),
    skip: (reader, options) => reader.skip(5, options),
  };
  for (const [name, read] of Object.entries(reads)) {
    it(`is refused by ${name}() also if the data is there, and nothing is taken`, async () => {
      const reader = new StreamReader();
      reader.feedData("first\nsecond\n");
      await assert.rejects(read(reader, { timeuot: 5 } as never), new RegExp(`^TypeError: ${name}\\(\\) has no option "timeuot"`));
      assert.equal(reader.bufferedLength, 13);
    });
  }
});

describe("what is no options object", () => {
  for (const name of ["wait", "communicate", "createSubprocessExec"]) {
    it(`is refused by ${name}()`, async () => {
      for (const options of [null, 100]) {
        await assert.rejects(settled(name, options as never), {
          code: "ERR_INVALID_ARG_TYPE",
          message: /^options must be an options object/,
        });
      }
    });
  }
});

describe("an options object", () => {
  it("of a process may have undefined options, inherits its options, and is told which one was meant", async () => {
    const child = await createSubprocessExec("true", [], { shell: undefined } as object);
    assert.equal(await child.wait(), 0);
    await assert.rejects(createSubprocessExec("true", [], Object.create({ shell: true }) as object), /has no option "shell"/);
    await assert.rejects(createSubprocessExec("true", [], { graceMS: 5 } as object), /did you mean "graceMs"\?/);
  });

  it("may have its options from its prototype, and none is lost", async () => {
    const path = socketPath();
    await using server = await startUnixServer(serve, path, Object.create({ mode: 0o600, startServing: false }) as { mode: number });
    assert.equal(server.isServing(), false);
    await server.startServing();
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it("may have a limit for lines() from its prototype", async () => {
    const { reader } = streams();
    const options = Object.create({ limit: 2, keepSeparator: true }) as object;
    await assert.rejects(reader.lines(options).next(), { code: "ERR_LINE_TOO_LONG" });
  });

  it("of ssl is Node's own, and not checked", async () => {
    const server = await startUnixServer(serve, socketPath(), { ssl: { ...identity("server"), optionOfAnotherNode: 5 } as object });
    await server.shutdown();
  });
});

/** The calls of a declaration file that take options, without those of Node and of JavaScript. */
function declared(file: string): string[] {
  const text = readFileSync(join(root, "dist", file), "utf8").replace(/\/\*\*[^]*?\*\//g, "");
  const found = text.matchAll(
    /(?:function |static | {4})(\w+)(?:<[^(]*>)?\(([^;]*?)\b(?:options|limits)\??: (?!ErrorOptions|InvalidFrameErrorOptions)/g,
  );
  return [...found].map(([, name]) => name as string);
}

describe("the list of calls above", () => {
  it("has every call that takes options", () => {
    const files = [
      "open.d.ts",
      "serve.d.ts",
      "duplex.d.ts",
      "copy.d.ts",
      "net/connect.d.ts",
      "net/listen.d.ts",
      "net/server.d.ts",
      "contracts/connection.d.ts",
    ];
    files.push("streams/base-reader.d.ts", "streams/reader.d.ts", "streams/writer.d.ts", "streams/protocol.d.ts");
    for (const folder of ["framing", "process", "testing"]) {
      files.push(
        ...readdirSync(join(root, "dist", folder))
          .filter((name) => name.endsWith(".d.ts"))
          .map((name) => `${folder}/${name}`),
      );
    }
    const internal = [
      "connectToPath",
      "connectToHost",
      "listenOnPath",
      "listenOnHosts",
      "checkMaxFrameSize",
      "readInOneAttempt",
      "checkHostile",
      "messageTraits",
      "checkSubprocessOptions",
    ];
    const names = new Set(files.flatMap(declared).filter((name) => !internal.includes(name)));
    assert.ok(names.size > 30, [...names].join(" "));
    const listed = new Set(
      Object.keys(calls).map((name) => (name.split(" of ")[0] as string).replace(/^StreamReader\./, "").replace(/^new .*/, "constructor")),
    );
    assert.deepEqual(
      [...names].filter((name) => !listed.has(name)),
      [],
    );
  });
});
