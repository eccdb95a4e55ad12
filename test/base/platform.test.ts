/** What other systems and runtimes lack is refused with the way out. They are imitated: see `platform-child.ts`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { scriptCommand } from "../support/child.js";
import { runtime } from "../support/runtime.js";
import { socketPath } from "../support/temporary.js";

function outcomes(platform: string): Readonly<Record<string, string>> {
  const path = socketPath();
  const [program = "", ...args] = scriptCommand("base/platform-child", platform, path);
  const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 60_000 });
  assert.equal(stderr, "");
  assert.ok(!existsSync(path));
  return JSON.parse(stdout) as Record<string, string>;
}

/** The patterns of calls on a platform. Calls that are not named are done. */
const PLATFORMS: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  win32: {
    openUnixConnection: /^ERR_UNSUPPORTED: Unix sockets are not supported on Windows: use TCP on 127\.0\.0\.1 \(path ".+"\)$/,
    startUnixServer: /^ERR_UNSUPPORTED: Unix sockets are not supported on Windows/,
    createUnixServer: /^ERR_UNSUPPORTED: Unix sockets are not supported on Windows/,
    abstractName: /^ERR_UNSUPPORTED: Unix sockets are not supported on Windows: .* \(path "\\u0000made-up"\)$/,
    descriptor: /^ERR_UNSUPPORTED: sock cannot be a file descriptor on Windows: pass a net\.Socket or a net\.Server \(99999\)$/,
    createSubprocessShell: /^ERR_UNSUPPORTED: createSubprocessShell\(\) needs \/bin\/sh, which Windows does not have$/,
    mergedOutput: /^ERR_UNSUPPORTED: stderr: STDOUT needs \/bin\/sh, which Windows does not have$/,
    loadUnix: /^ERR_UNSUPPORTED: asyncio-streams\/unix needs Linux on x64 or arm64: this is win32 on \w+$/,
  },
  darwin: {
    openUnixConnection: /^another error: ENOENT: /,
    abstractName: /^another error: ERR_INVALID_ARG_VALUE: path must not begin with a NUL on darwin, which has no abstract namespace/,
    createUnixServer: /^another error: ERR_INVALID_ARG_VALUE: path must not begin with a NUL on darwin/,
    descriptor: /^another error: EBADF: /,
    loadUnix: /^ERR_UNSUPPORTED: asyncio-streams\/unix needs Linux on x64 or arm64: this is darwin on \w+$/,
  },
  workers: {
    openUnixConnection: /^ERR_UNSUPPORTED: Unix sockets do not exist on Cloudflare Workers: use TCP \(path ".+"\)$/,
    startUnixServer: /^ERR_UNSUPPORTED: servers do not exist on Cloudflare Workers: export a fetch\(\) or a connect\(\) handler/,
    createUnixServer: /^ERR_UNSUPPORTED: servers do not exist on Cloudflare Workers/,
    startServer: /^ERR_UNSUPPORTED: servers do not exist on Cloudflare Workers/,
    abstractName: /^ERR_UNSUPPORTED: Unix sockets do not exist on Cloudflare Workers/,
    ssl: /^ERR_UNSUPPORTED: node:tls cannot secure an open socket on Cloudflare Workers: use connect\(\) of "cloudflare:sockets"/,
    startTls: /^ERR_UNSUPPORTED: node:tls cannot secure an open socket on Cloudflare Workers/,
    descriptor: /^another error: EBADF: /,
    loadUnix: /^ERR_UNSUPPORTED: asyncio-streams\/unix needs Linux on x64 or arm64: this is Cloudflare Workers$/,
  },
};

/** TLS with a peer that ends the connection. The outcome is the runtime's, where TLS is not refused. */
const TLS_CALLS = new Set(["ssl", "startTls"]);

for (const [platform, expected] of Object.entries(PLATFORMS)) {
  describe(`the library on ${platform}`, () => {
    const seen = outcomes(platform);

    it("talks over TCP and in memory", () => assert.equal(seen["talk"], "0 memory\n"));

    for (const [call, outcome] of Object.entries(seen).filter(([name]) => name !== "talk")) {
      const pattern = expected[call];
      if (pattern === undefined && TLS_CALLS.has(call)) continue;
      const isOfSystem = pattern?.source.startsWith("^another error: EBADF") === true;
      it(
        pattern === undefined ? `does ${call}` : `refuses ${call}`,
        { skip: isOfSystem && runtime !== "node" && "the runtime's own error" },
        () => assert.match(outcome, pattern ?? /^done$/),
      );
    }
  });
}
