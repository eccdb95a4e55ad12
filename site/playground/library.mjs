/**
 * A plugin for Vite: bundles the library for browsers. Node's modules are replaced by small ones in shims/, which have what the streams
 * and the memory transport use. Other modules of Node, such as node:net, are an error of the build: nothing that needs a system gets into
 * the bundle.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { root } from "../repository.mjs";

export function libraryForBrowsers() {
  return {
    name: "library-for-browsers",
    enforce: "pre",
    resolveId(id, importer = "") {
      if (!id.startsWith("node:") || !importer.startsWith(`${root}dist/`)) return null;
      const shim = fileURLToPath(new URL(`shims/${id.replaceAll(/\W/g, "-")}.js`, import.meta.url));
      if (!existsSync(shim)) throw new Error(`${importer} needs ${id}, which a browser does not have`);
      return shim;
    },
  };
}
