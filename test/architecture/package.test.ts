/** Promises of the package as a whole, as tests. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import * as publicFace from "asyncio-streams";
import * as framing from "asyncio-streams/framing";
import * as subprocess from "asyncio-streams/process";
import * as unix from "asyncio-streams/unix";
import { root } from "../support/repository.js";
import { sourceFiles } from "./source-files.js";

interface Manifest {
  readonly dependencies?: object;
  readonly peerDependencies?: object;
  readonly peerDependenciesMeta?: object;
  readonly optionalDependencies?: object;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly sideEffects: boolean;
  readonly type: string;
}

const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as Manifest;

describe("package.json", () => {
  it("has no dependencies at run time", () => {
    assert.deepEqual([manifest.dependencies, manifest.optionalDependencies], [undefined, undefined]);
  });

  it("has one peer dependency, which is optional", () => {
    assert.deepEqual(Object.keys(manifest.peerDependencies ?? {}), ["koffi"]);
    assert.deepEqual(manifest.peerDependenciesMeta, { koffi: { optional: true } });
  });

  it("pins every development dependency", () => {
    assert.deepEqual(
      Object.entries(manifest.devDependencies).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
      [],
    );
  });

  it("is an ECMAScript module without side effects, with the documented entries", () => {
    assert.deepEqual(
      [manifest.type, manifest.sideEffects, Object.keys(manifest.exports)],
      ["module", false, [".", "./framing", "./process", "./testing", "./unix", "./package.json"]],
    );
  });
});

describe("package-lock.json", () => {
  it("names no registry", () => {
    assert.doesNotMatch(readFileSync(`${root}package-lock.json`, "utf8"), /"resolved": "https?:/);
  });
});

describe("the public face", () => {
  it("exports the documented values and no others", () => {
    assert.deepEqual(Object.keys(publicFace).sort(), [
      "BaseProtocol",
      "ConcurrentReadError",
      "ConnectionLostError",
      "ConnectionMemoryError",
      "ConnectionTimeoutError",
      "DetachedMemoryError",
      "IncompleteReadError",
      "InvalidStateError",
      "LimitOverrunError",
      "LineTooLongError",
      "ProxyProtocolError",
      "StreamReader",
      "StreamReaderProtocol",
      "StreamWriter",
      "TimeoutError",
      "UnauthorizedError",
      "UnsupportedError",
      "connectAcceptedSocket",
      "copy",
      "createConnection",
      "createServer",
      "createUnixConnection",
      "createUnixServer",
      "listenFds",
      "openConnection",
      "openUnixConnection",
      "relay",
      "startServer",
      "startTls",
      "startUnixServer",
      "toDuplex",
    ]);
  });

  it("has its framing entry", () => {
    assert.deepEqual(Object.keys(framing).sort(), [
      "FrameTooLargeError",
      "Framed",
      "InvalidFrameError",
      "contentLength",
      "delimited",
      "frameBatches",
      "frames",
      "lengthPrefixed",
      "ndjson",
      "netstring",
    ]);
  });

  it("has subprocesses beside it", () => {
    assert.deepEqual(Object.keys(subprocess).sort(), [
      "DEVNULL",
      "PIPE",
      "ProcessLookupError",
      "STDOUT",
      "connectReadPipe",
      "connectWritePipe",
      "createSubprocessExec",
      "createSubprocessShell",
      "stdio",
    ]);
  });

  it("has its entry for Unix", () => {
    assert.deepEqual(Object.keys(unix).sort(), [
      "Descriptor",
      "DescriptorLimitError",
      "FdStreamReader",
      "FdStreamWriter",
      "IPPROTO_TCP",
      "SOL_SOCKET",
      "SO_KEEPALIVE",
      "SO_RCVBUF",
      "SO_SNDBUF",
      "TCP_KEEPCNT",
      "TCP_KEEPIDLE",
      "TCP_KEEPINTVL",
      "TCP_NODELAY",
      "TCP_QUICKACK",
      "TCP_USER_TIMEOUT",
      "UnsupportedError",
      "detachConnection",
      "duplicateListeners",
      "getPeerCredentials",
      "getTcpInfo",
      "getsockopt",
      "loadUnix",
      "openFdConnection",
      "openPeerPidfd",
      "openSocketpair",
      "sdNotify",
      "sdWatchdogMs",
      "setsockopt",
      "startFdServer",
    ]);
  });

  for (const file of ["index.ts", "framing/index.ts", "process/index.ts", "unix/index.ts"]) {
    it(`only re-exports: ${file}`, () => {
      const text =
        sourceFiles()
          .get(file)
          ?.text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/\/ <reference [^\n]*/g, "") ?? "";
      assert.match(text, /^(\s*export (type )?\{[^}]*\} from "[^"]+";)+\s*$/);
    });
  }
});
