/** The first thing that anybody sees: `npm run demo`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../support/repository.js";
import { runtime } from "../support/runtime.js";
import { runExample } from "./run-example.js";

const { stdout, status } = runExample("demo.js");

/** The rows of the table, as columns. */
const clients = stdout
  .split("\n")
  .map((line) => line.trim().split(/\s+/))
  .filter((columns) => /^\d$/.test(columns[0] ?? "") && columns.length === 7);

describe("the demo", () => {
  it("is run by npm run demo", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
    assert.match(scripts["demo"] ?? "", /build\b.*&& node build\/examples\/demo\.js$/);
  });

  it("shows the path of the server, whose socket only its user may use", () => {
    assert.match(stdout, /^A line server listens on \/\S+\/lines\.sock \(mode 600\)\.\n/);
  });

  it("shows lines of this repository and their numbered answers", () => {
    const conversation = stdout.match(/^ {2}[<>] .*$/gm) ?? [];
    assert.equal(conversation.length, 6);
    assert.deepEqual(conversation.slice(0, 2), ["  > # asyncio-streams", "  < 1: # asyncio-streams"]);
  });

  it("has several clients, each of which gets as many lines as it sends, and more bytes", () => {
    assert.ok(clients.length >= 3);
    for (const [, linesOut, bytesOut, linesIn, bytesIn] of clients.map((columns) =>
      columns.map((cell) => Number(cell.replaceAll(",", ""))),
    )) {
      assert.ok((linesOut as number) > 1_000);
      assert.equal(linesOut, linesIn);
      // Each line's number, a colon and a space.
      const numbers = Array.from({ length: linesOut as number }, (_, index) => String(index + 1).length + 2).reduce((a, b) => a + b);
      assert.equal(bytesIn, (bytesOut as number) + numbers);
    }
  });

  it("has checksums that match", () => {
    for (const columns of clients) assert.equal(columns[6], "matches");
    assert.equal(status, 0);
  });

  it("meets backpressure, which keeps the buffers small", () => {
    const [, waits, sent, buffered] = stdout.match(/wait (\d+) times\. Of the (\d+) KiB that each sent, at most (\d+) KiB/) ?? [];
    // Bun: the system accepts what is written in one turn, as long as the lines of the README are short.
    assert.ok(Number(waits) > 0 || (runtime === "bun" && waits === "0"), `${waits} waits`);
    assert.ok(Number(buffered) >= (runtime === "bun" ? 16 : 64) && Number(buffered) * 4 < Number(sent), `${buffered} of ${sent} KiB`);
  });

  it("ends an idle client and leaves no socket file", () => {
    assert.match(stdout, /Shutdown: a client that was idle was told the end; 1 finished, 0 cut off; the socket file is gone\.\n$/);
  });
});
