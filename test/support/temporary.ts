/** Temporary directories, one for each test that asks; removed by the leak guard, which first looks for what was left in them. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made: string[] = [];

/** A new empty directory. Its path is short, since socket paths must be. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "as-"));
  made.push(directory);
  return directory;
}

/** A path for a socket in a new directory. */
export function socketPath(name: string = "test.sock"): string {
  return join(temporaryDirectory(), name);
}

/** Those made so far. */
export function temporaryDirectories(): readonly string[] {
  return made;
}
