/** Conversations with CPython's asyncio over TLS, either side. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { certificatesFolder, identity, trust } from "../support/certificates.js";
import { needs } from "../support/needs.js";
import { kinds, unix } from "../support/pairs.js";
import { findPython } from "../support/python.js";
import { startPythonClient, startPythonServer } from "../support/python-peers.js";
import { testFile } from "../support/repository.js";
import { answer, conversations, converse } from "./conversations.js";

/** `StreamWriter.start_tls()` came with 3.11. */
const OLDEST = { ssl: 8, startTls: 11, nested: 11 } as const;

for (const kind of kinds) {
  for (const begin of ["ssl", "startTls", "nested"] as const) {
    const python = findPython(OLDEST[begin]);
    const options = needs(python);

    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      // nested: startTls() within TLS.
      const setting = { begin: begin === "ssl" ? "ssl" : "startTls", version } as const;
      const peer = [python.binary, testFile("tls/peer.py"), certificatesFolder, version, begin];
      const versions = { minVersion: version, maxVersion: version };
      const full = kind !== unix && begin === "ssl" && version === "TLSv1.3";

      describe(`CPython over ${kind.name}, ${version} by ${begin}`, () => {
        for (const conversation of conversations(full)) {
          it(`serves our client: ${conversation}`, options, async () => {
            await using server = await startPythonServer(peer, kind.name);
            await converse(
              await server.connect(begin === "startTls" ? {} : { ssl: { ...trust, ...versions }, serverHostname: "localhost" }),
              setting,
              conversation,
            );
          });

          it(`is served by our server: ${conversation}`, options, async () => {
            const errors: unknown[] = [];
            const { server } = await kind.serve(answer(setting), {
              ...(begin === "startTls" ? {} : { ssl: { ...identity("server"), ...versions } }),
              onClientError: (error) => errors.push(error),
            });
            await using client = startPythonClient(peer, server.sockets[0]!.getsockname(), conversation);
            assert.match(await client.nextLine(), /^ok \["(TLS_|ECDHE-)/);
            assert.deepEqual(await client.ended, { code: 0, signal: null });
            server.close();
            await server.waitClosed();
            assert.deepEqual(errors, []);
          });
        }
      });
    }
  }
}
