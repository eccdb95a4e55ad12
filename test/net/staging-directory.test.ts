import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { StagingDirectory } from "#src/net/socket-file/staging-directory.js";
import { temporaryDirectory } from "../support/temporary.js";

/** A hidden name beside a public one. */
function hiddenBeside(): { readonly hidden: StagingDirectory; readonly directory: string; readonly path: string } {
  const directory = temporaryDirectory();
  const path = join(directory, "public");
  return { hidden: new StagingDirectory(path), directory, path };
}

describe("StagingDirectory.removeIfStill", () => {
  it("removes the file that was looked at", () => {
    const { hidden, path } = hiddenBeside();
    writeFileSync(path, "stale");
    hidden.removeIfStill(path, lstatSync(path));
    assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined);
    hidden.remove();
  });

  it("gives its name back to another file that has taken its place", () => {
    const { hidden, directory, path } = hiddenBeside();
    writeFileSync(path, "stale");
    const stale = lstatSync(path);
    renameSync(path, join(directory, "kept, so that its inode is not used again"));
    writeFileSync(path, "another");
    hidden.removeIfStill(path, stale);
    assert.equal(readFileSync(path, "utf8"), "another");
    hidden.remove();
  });

  it("gives it back also if it cannot be linked", () => {
    const { hidden, directory, path } = hiddenBeside();
    mkdirSync(path);
    hidden.removeIfStill(path, lstatSync(directory));
    assert.equal(lstatSync(path).isDirectory(), true);
    hidden.remove();
  });

  it("does nothing if the file has gone", () => {
    const { hidden, directory, path } = hiddenBeside();
    hidden.removeIfStill(path, lstatSync(directory));
    hidden.remove();
  });

  it("throws the system's error if the file cannot be moved", () => {
    const { hidden, directory, path } = hiddenBeside();
    writeFileSync(path, "");
    assert.throws(() => hidden.removeIfStill(join(path, "below a file"), lstatSync(directory)), { code: "ENOTDIR" });
    hidden.remove();
  });
});
