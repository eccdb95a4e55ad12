/** The files of `src/`, with what they import: what the policy tests look at. */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { root } from "../support/repository.js";

/** One import, of a value or only of types. */
export interface Import {
  /** Relative to `src/` for our own files (`streams/reader.ts`), else as it is written. */
  readonly target: string;
  readonly isType: boolean;
}

export interface SourceFile {
  readonly text: string;
  readonly imports: readonly Import[];
}

const IMPORT = /^(?:import|export)\s+(type\s+)?(?:[\w*{},\s]+?\s+from\s+)"([^"]+)"/gm;
const BARE_IMPORT = /^import\s+"([^"]+)"/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*"([^"]+)"/g;

/** Every source file by its path under `src/`. */
export function sourceFiles(): Map<string, SourceFile> {
  const files = new Map<string, SourceFile>();
  for (const name of readdirSync(`${root}src`, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    const file = name.replaceAll("\\", "/");
    const text = readFileSync(`${root}src/${file}`, "utf8");
    const imports = [...text.matchAll(IMPORT)].map(([, type, target]) => ({
      target: resolve(file, target as string),
      isType: type !== undefined,
    }));
    const others = [...text.matchAll(BARE_IMPORT), ...text.matchAll(DYNAMIC_IMPORT)].map(([, target]) => ({
      target: resolve(file, target as string),
      isType: false,
    }));
    files.set(file, { text, imports: [...imports, ...others] });
  }
  return files;
}

function resolve(file: string, target: string): string {
  return target.startsWith(".") ? posix.join(posix.dirname(file), target).replace(/\.js$/, ".ts") : target;
}
