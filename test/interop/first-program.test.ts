/** The first program of docs/getting-started.md, with Redis. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { readMarkdown } from "../docs/markdown.js";
import { root } from "../support/repository.js";
import { exampleOutput } from "./example.js";
import { program } from "./program.js";

const { blocks } = readMarkdown("docs/getting-started.md");
const at = blocks.findIndex(({ info }) => info === "ts redis");
const first = blocks[at]?.code ?? "";
const printed = blocks[at + 1];

describe("the first program of docs/getting-started.md", () => {
  const redis = program({
    name: "redis-server",
    package: "redis-server",
    args: ({ socket, directory }) => ["--port", "0", "--unixsocket", socket, "--dir", directory, "--save", ""],
  });

  redis.it("prints what it says, as JavaScript", () => {
    assert.equal(printed?.info, "text");
    // Beside the examples, where the library is found by its name.
    const folder = join(root, "build", "examples", `first-program-${process.pid}`);
    mkdirSync(folder);
    try {
      writeFileSync(join(folder, "first.js"), first.replace("/tmp/redis.sock", redis.socket));
      assert.equal(exampleOutput(`first-program-${process.pid}/first.js`, []).join("\n"), printed.code);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
