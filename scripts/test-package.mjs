/**
 * `npm run test:package`: packs the library for publication, installs it into empty projects, with npm and with Bun, and runs the tests
 * of `test/package/` on the installations. These tests are not part of `npm test`, because they need the other runtimes
 * and another compiler. Both are installed below build/.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { install } from "./install.mjs";
import { installRuntimes } from "./runtimes.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * The supported versions of TypeScript, oldest first, each with types of a Node that are installed beside it. Pinned; package.json has the
 * project's own versions. Since 5.7, the types of bytes say what memory they lie in.
 */
const COMPILERS = {
  "typescript-5.6": ["typescript@5.6.3", "@types/node@26.6.6"],
  "typescript-5.7": ["typescript@5.7.3", "@types/node@22.20.5"],
  "typescript-5.9": ["typescript@5.9.3", "@types/node@24.19.2"],
  "typescript-6.0": ["typescript@6.0.3", "@types/node@22.20.5"],
};

const runtimes = installRuntimes();
const compilers = Object.entries(COMPILERS).map(([name, packages]) => join(install(join("compilers", name), ...packages)));

// Outside the repository, because programs inside it would find its node_modules.
const folder = mkdtempSync(join(tmpdir(), "as-package-"));
try {
  run("npm", ["pack", "--silent", "--pack-destination", folder], root);
  const [tarball] = readdirSync(folder).map((name) => join(folder, name));
  const bun = runtimes.find(({ name }) => name === "bun").binary;
  // Offline, because the package has no dependencies.
  run("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", tarball], emptyProject("npm"));
  run(bun, ["add", "--silent", tarball], emptyProject("bun"));
  const described = JSON.stringify({ tarball, runtimes, compilers });
  writeFileSync(join(folder, "package-under-test.json"), described);
  const { status } = spawnSync(process.execPath, [join(root, "scripts", "test.mjs"), "--package"], {
    stdio: "inherit",
    env: { ...process.env, PACKAGE_UNDER_TEST: folder },
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}

function emptyProject(name) {
  const directory = join(folder, name);
  mkdirSync(directory);
  writeFileSync(join(directory, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  return directory;
}

function run(command, args, cwd) {
  const { status, error, stdout } = spawnSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed\n${stdout}`, { cause: error });
}
