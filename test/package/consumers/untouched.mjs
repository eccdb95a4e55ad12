/** Tells what loading the library changes outside of it, which is nothing (and it ends, so nothing is kept open): the promise behind `"sideEffects": false`. */
const look = () => ({
  globals: Reflect.ownKeys(globalThis).length,
  listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
});
// What a runtime does by itself at a first import is not ours.
await import("node:module");
await import("node:net");
await import("node:tls");
const before = look();
for (const entry of ["", "/framing", "/testing", "/unix"]) await import(`asyncio-streams${entry}`);
const after = look();
console.log(JSON.stringify(after) === JSON.stringify(before) ? "untouched" : JSON.stringify({ before, after }));
