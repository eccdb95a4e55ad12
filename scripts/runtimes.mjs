/**
 * The runtimes that run the tests besides the Node.js that runs this script, as packages that contain the binary. Missing runtimes are
 * installed below build/runtimes, one folder each.
 */
import { join } from "node:path";
import { install } from "./install.mjs";

const nodePackage = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;

/** Pinned, like every development dependency. */
const RUNTIMES = [
  { name: "node-22", package: `${nodePackage}@22.23.3`, binary: `${nodePackage}/bin/node` },
  { name: "node-24", package: `${nodePackage}@24.9.0`, binary: `${nodePackage}/bin/node` },
  { name: "node-26", package: `${nodePackage}@26.9.0`, binary: `${nodePackage}/bin/node` },
  { name: "bun", package: "bun@1.4.5", binary: ".bin/bun" },
  { name: "deno", package: "deno@2.9.6", binary: ".bin/deno" },
];

/** Installs missing runtimes; returns `{ name, binary }` for each runtime, or only for those in `names`. */
export function installRuntimes(names = []) {
  return RUNTIMES.filter(({ name }) => names.length === 0 || names.includes(name)).map(({ name, package: spec, binary }) => {
    return { name, binary: join(install(join("runtimes", name), spec), binary) };
  });
}
