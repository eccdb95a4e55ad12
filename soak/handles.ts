/** What the process holds of the system. */
import { readdirSync, readlinkSync } from "node:fs";
import { runtime } from "../test/support/runtime.js";

const CONNECTIONS = new Set(["PipeWrap", "PipeServerWrap", "TCPWrap", "TCPSocketWrap", "TCPServerWrap", "Timeout"]);
const TURNS = 500;

/** What the names of files begin with whose descriptors are sent. */
export const GIVEN = "soak-given-";

/** Sockets, files that were sent, and what the runtime tells of its handles. */
function handles(): string[] {
  return [...openSockets(), ...toldHandles()].sort();
}

/** Linux. */
function openSockets(): string[] {
  let descriptors: string[];
  try {
    descriptors = readdirSync("/proc/self/fd");
  } catch {
    return [];
  }
  return descriptors.map(linkOf).filter((link) => link.startsWith("socket:") || link.includes(GIVEN));
}

function linkOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return ""; // the one that the directory was read with
  }
}

/** Bun and Deno do not tell. */
function toldHandles(): string[] {
  return runtime === "node" ? process.getActiveResourcesInfo().filter((name) => CONNECTIONS.has(name)) : [];
}

const before = (() => {
  // The standard streams are handles, too, and made when they are first used.
  for (const stream of [process.stdout, process.stderr]) stream.write("");
  // Deno: so are its two sockets for signals.
  const ignore = (): void => {};
  process.on("SIGWINCH", ignore).off("SIGWINCH", ignore);
  return handles();
})();

/** Handles that were not there when the program began. The last ones may take some turns of the event loop to go. */
export async function handlesLeft(): Promise<string[]> {
  for (let turn = 0; turn < TURNS && left().length > 0; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return left();
}

function left(): string[] {
  const known = [...before];
  return handles().filter((handle) => {
    const index = known.indexOf(handle);
    if (index !== -1) known.splice(index, 1);
    return index === -1;
  });
}
