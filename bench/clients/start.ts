/** Imports a library, and prints the CPU seconds of the process: `ours|net|tls <directory of our modules>`. */
import { pathToFileURL } from "node:url";

const [, , what, directory = ""] = process.argv;
if (what === "ours") await import(pathToFileURL(`${directory}/index.js`).href);
else await import("node:net");
if (what === "tls") await import("node:tls");
const { user, system } = process.cpuUsage();
console.log((user + system) / 1e6);
