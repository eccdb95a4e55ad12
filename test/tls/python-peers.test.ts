/** Conversations with CPython's asyncio over TLS, either side. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import { openConnection, openUnixConnection } from "asyncio-streams";
import { certificatesFolder, identity, trust } from "../support/certificates.js";
import { needs } from "../support/needs.js";
import { kinds, unix } from "../support/pairs.js";
import { findPython, type Python } from "../support/python.js";
import { testFile } from "../support/repository.js";
import { socketPath } from "../support/temporary.js";
import { answer, conversations, converse } from "./conversations.js";
import type { TlsSetting } from "./kinds.js";

/** `StreamWriter.start_tls()` came with 3.11. */
const OLDEST = { ssl: 8, startTls: 11 } as const;

/** `peer.py` in a process that is waited for. */
class PythonPeer implements AsyncDisposable {
  readonly #child;
  readonly #ended: Promise<unknown>;
  output = "";

  constructor({ binary }: Python, { version, begin }: TlsSetting, ...args: readonly string[]) {
    this.#child = spawn(binary, [testFile("tls/peer.py"), certificatesFolder, version, begin, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#ended = once(this.#child, "close");
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
    });
    // It may be gone before its input is closed.
    this.#child.stdin.on("error", () => {});
  }

  /** What it says first, in words. */
  async ready(): Promise<string[]> {
    while (!this.output.includes("\n")) await Promise.race([once(this.#child.stdout, "data"), this.#ended]);
    return this.output.trim().split(" ");
  }

  async end(): Promise<string> {
    await this.#ended;
    return this.output.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }
}

for (const kind of kinds) {
  for (const begin of ["ssl", "startTls"] as const) {
    const python = findPython(OLDEST[begin]);
    const options = needs(python);

    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const setting = { begin, version };
      const versions = { minVersion: version, maxVersion: version };
      const full = kind !== unix && begin === "ssl" && version === "TLSv1.3";

      describe(`CPython over ${kind.name}, ${version} by ${begin}`, () => {
        for (const conversation of conversations(full)) {
          it(`serves our client: ${conversation}`, options, async () => {
            const path = kind === unix ? socketPath() : null;
            await using server = new PythonPeer(python, setting, "serve", ...(path === null ? ["tcp"] : ["unix", path]));
            const [, port] = await server.ready();
            const tls = begin === "ssl" ? { ssl: { ...trust, ...versions }, serverHostname: "localhost" } : {};
            const streams = await (path === null ? openConnection("127.0.0.1", Number(port), tls) : openUnixConnection(path, tls));
            await converse(streams, setting, conversation);
            await server[Symbol.asyncDispose]();
            if (path !== null) rmSync(path, { force: true });
          });

          it(`is served by our server: ${conversation}`, options, async () => {
            const errors: unknown[] = [];
            const { server } = await kind.serve(answer(setting), {
              ...(begin === "ssl" ? { ssl: { ...identity("server"), ...versions } } : {}),
              onClientError: (error) => errors.push(error),
            });
            const address = server.sockets[0]!.getsockname();
            const where = typeof address === "string" ? ["unix", address] : ["tcp", String(address[1])];
            await using client = new PythonPeer(python, setting, "connect", ...where, conversation);
            assert.match(await client.end(), /^ok \["(TLS_|ECDHE-)/);
            server.close();
            await server.waitClosed();
            assert.deepEqual(errors, []);
          });
        }
      });
    }
  }
}
