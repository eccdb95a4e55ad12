import "../support/leak-guard.js";
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Directory, hasDescriptorPaths, splitPath, withConnectPath } from "#src/net/socket-file/directory.js";
import { removeLeftovers } from "#src/net/socket-file/leftovers.js";
import { ownerTag } from "#src/net/socket-file/owner-tag.js";
import { StagingDirectory } from "#src/net/socket-file/staging-directory.js";
import { needsLinux, needsRoot } from "../support/needs.js";
import { staleSocket } from "../support/stale-socket.js";
import { temporaryDirectory } from "../support/temporary.js";

const NOBODY = 65_534;

/** Runs something with a directory that is open through a descriptor, and with one that has only its path. */
function withDirectory(path: string, pinned: boolean, use: (directory: Directory) => void): void {
  const directory = Directory.open(path, pinned);
  try {
    use(directory);
  } finally {
    directory.close();
    directory.close(); // does nothing
  }
}

describe("Directory", needsLinux, () => {
  it("goes through a descriptor where the system has such paths", () => {
    assert.equal(hasDescriptorPaths(), true);
    withDirectory(temporaryDirectory(), true, (directory) => assert.match(directory.path.toString(), /^\/proc\/self\/fd\/\d+$/));
  });

  it("stays the same if its path is exchanged for a link", () => {
    const root = temporaryDirectory();
    for (const name of ["inner", "other"]) mkdirSync(join(root, name));
    withDirectory(join(root, "inner"), true, (directory) => {
      renameSync(join(root, "inner"), join(root, "moved"));
      symlinkSync("other", join(root, "inner"));
      writeFileSync(directory.at("file"), "");
      assert.deepEqual([readdirSync(join(root, "moved")), readdirSync(join(root, "other"))], [["file"], []]);
      assert.equal(directory.protectedPath(), null);
    });
  });

  for (const pinned of [true, false]) {
    it(`opens a directory in it, and neither a link nor a file${pinned ? "" : ", with only its path"}`, () => {
      const root = temporaryDirectory();
      mkdirSync(join(root, "inner"), { mode: 0o700 });
      symlinkSync("inner", join(root, "link"));
      writeFileSync(join(root, "file"), "");
      withDirectory(root, pinned, (directory) => {
        const inner = directory.openChild("inner");
        assert.equal(inner?.stats.ino, statSync(join(root, "inner")).ino);
        inner?.close();
        for (const name of ["link", "file"]) assert.equal(directory.openChild(name), null);
        assert.throws(() => directory.openChild("none"), { code: "ENOENT" });
      });
    });
  }
});

describe("Directory.protectedPath", needsLinux, () => {
  for (const [what, mode, isProtected] of [
    ["that only its owner may write to", 0o755, true],
    ["that its group may write to", 0o770, false],
    ["that others may write to", 0o702, false],
    ["that everybody may write to, with the sticky bit", 0o1777, true],
  ] as const) {
    it(`is ${isProtected ? "the path" : "null"} for a directory ${what}`, () => {
      const path = temporaryDirectory();
      chmodSync(path, mode);
      withDirectory(path, true, (directory) => assert.equal(directory.protectedPath(), isProtected ? path : null));
    });
  }

  it("is null if others may write to a directory above", () => {
    const above = temporaryDirectory();
    mkdirSync(join(above, "inner"));
    chmodSync(above, 0o777);
    withDirectory(join(above, "inner"), true, (directory) => assert.equal(directory.protectedPath(), null));
  });

  it("is null if the directory belongs to another user", needsRoot, () => {
    const path = temporaryDirectory();
    chownSync(path, NOBODY, NOBODY);
    withDirectory(path, true, (directory) => assert.equal(directory.protectedPath(), null));
  });

  it("is null if the directory is gone", () => {
    const path = join(temporaryDirectory(), "gone");
    mkdirSync(path);
    withDirectory(path, true, (directory) => {
      rmSync(path, { recursive: true });
      assert.equal(directory.protectedPath(), null);
    });
  });
});

describe("splitPath", () => {
  for (const [path, directory, base] of [
    ["name", ".", "name"],
    ["/name", "/", "name"],
    ["a/../name", "a/..", "name"],
    ["/run//name", "/run/", "name"],
  ] as const) {
    it(`cuts ${path} into ${directory} and ${base}, as text and as bytes`, () => {
      assert.deepEqual(splitPath(path), { directory, base });
      assert.deepEqual(splitPath(Buffer.from(path)), { directory, base });
    });
  }

  it("keeps bytes that are not UTF-8", () => {
    const bytes = Buffer.from("/a/\xff", "latin1");
    assert.deepEqual(splitPath(bytes), { directory: "/a", base: Buffer.from([0xff]) });
  });
});

describe("withConnectPath", needsLinux, () => {
  it("throws if the file is gone", async () => {
    await assert.rejects(
      withConnectPath(Buffer.from("/nowhere/\xff", "latin1"), async () => {}),
      { code: "ENOENT" },
    );
  });
});

describe("a staging directory without descriptors of directories", needsLinux, () => {
  /** Makes one with only the path of its parent. */
  function staging(mode: number, use: (staging: StagingDirectory, path: string) => void): void {
    const path = temporaryDirectory();
    chmodSync(path, mode);
    withDirectory(path, false, (parent) => {
      const made = new StagingDirectory(parent, "public");
      try {
        use(made, path);
      } finally {
        made.remove();
        made.release();
      }
      assert.deepEqual(readdirSync(path), []);
    });
  }

  it("sets mode and owner where no other user may rename files", () => {
    staging(0o755, (made) => {
      writeFileSync(made.path, "", { mode: 0o600 });
      made.setAccess(0o640, { uid: -1, gid: -1 });
      assert.equal(lstatSync(made.path).mode & 0o777, 0o640);
    });
  });

  it("refuses mode and owner with EPERM where others may", () => {
    staging(0o777, (made) => {
      writeFileSync(made.path, "", { mode: 0o600 });
      const refusal = { code: "EPERM", syscall: "listen", path: "public", message: /without \/proc\/self\/fd/ };
      assert.throws(() => made.setAccess(0o640, undefined), refusal);
      assert.throws(() => made.setAccess(undefined, { uid: 1, gid: -1 }), refusal);
      made.setAccess(undefined, undefined);
      assert.equal(lstatSync(made.path).mode & 0o777, 0o600);
    });
  });

  it("is made under a umask without x where no other user may rename files, and refused with EPERM where others may", () => {
    const before = process.umask(0o177);
    try {
      staging(0o755, (made) => assert.equal(lstatSync(join(made.path.toString(), "..")).mode & 0o777, 0o700));
      assert.throws(() => staging(0o777, () => {}), { code: "EPERM", message: /umask/ });
    } finally {
      process.umask(before);
    }
  });

  it("gives bind() the path as it was given, or ENAMETOOLONG", () => {
    staging(0o755, (made, path) => assert.match(made.bindPath(), new RegExp(`^${path}/\\.as-[^/]+/s$`)));
    const deep = join(temporaryDirectory(), "d".repeat(90));
    mkdirSync(deep);
    withDirectory(deep, false, (parent) => {
      const made = new StagingDirectory(parent, "public");
      assert.throws(() => made.bindPath(), { code: "ENAMETOOLONG", path: "public" });
      made.remove();
    });
  });

  for (const [mode, kept] of [
    [0o755, false],
    [0o777, true],
  ] as const) {
    it(`${kept ? "leaves" : "removes"} what killed processes have left where others ${kept ? "may" : "may not"} write`, async () => {
      const path = temporaryDirectory();
      chmodSync(path, mode);
      const left = join(path, `.as-${(2 ** 30).toString(36)}-${ownerTag().split("-")[1]!.slice(0, 3)}000-0123`);
      mkdirSync(left, { mode: 0o700 });
      await staleSocket(join(left, "s"));
      const directory = Directory.open(path, false);
      await removeLeftovers(directory);
      assert.equal(existsSync(left), kept);
      rmSync(left, { recursive: true, force: true });
    });
  }
});
