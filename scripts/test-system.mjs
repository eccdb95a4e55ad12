/**
 * Runs the compiled tests that this system can run: all of them, and on Windows those below. `node scripts/test-system.mjs`, with the
 * arguments of `test.mjs` before file patterns, such as `--runtime bun`.
 *
 * Windows has no Unix sockets, so the files whose tests need them are left out. These need none.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const WITHOUT_UNIX_SOCKETS = [
  ...["byte-queue", "errors", "known-options", "limits", "separator-search", "thrown", "waiting", "write-watermarks"].map(
    (name) => `base/${name}`,
  ),
  "adapters/readable",
  "core/",
  ...["batches", "codecs", "content-length", "delimiter", "header", "length-prefixed", "ndjson", "netstring"].map(
    (name) => `framing/${name}`,
  ),
  ...["tcp-connect", "tcp-listen"].map((name) => `net/${name}`),
  ...["byte-queue", "reader-chunking", "reader-extras", "reader-steps", "text-lines"].map((name) => `property/${name}`),
  "proxy/header-decoder",
  ...[
    "reader-abort",
    "reader-arguments",
    "reader-concurrency",
    "reader-extras",
    "reader-feeding",
    "reader-flow-control",
    "reader-from",
  ].map((name) => `streams/${name}`),
  ...["reader-loss", "reader-messages", "reader-readlines", "reader-reads", "reader-unread", "writer-flow"].map(
    (name) => `streams/${name}`,
  ),
  ...["check-transport", "conformance-memory", "hostile", "memory-errors", "memory-pair"].map((name) => `testing/${name}`),
  ...["conformance-tcp-ssl", "conformance-tcp-start-tls", "conformance-tls-in-tls"].map((name) => `tls/${name}`),
  ...["tls-carrier", "transport-carrier", "write-batch", "write-scheduler"].map((name) => `transports/${name}`),
];

const patterns = process.platform === "win32" ? WITHOUT_UNIX_SOCKETS : [];
const { status } = spawnSync(
  process.execPath,
  [fileURLToPath(new URL("test.mjs", import.meta.url)), ...process.argv.slice(2), ...patterns],
  { stdio: "inherit" },
);
process.exitCode = status ?? 1;
