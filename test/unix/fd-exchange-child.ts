/** Exchanges descriptors with itself so many times, and ends by itself: nothing may keep the process alive. */
import { readdirSync } from "node:fs";
import { loadUnix, openFdConnection, startFdServer } from "asyncio-streams/unix";
import { tell } from "../support/parent.js";

const [, , path, count = "0", ffi] = process.argv;
await loadUnix(ffi === undefined ? {} : { ffi: ffi as "koffi" });
const server = await startFdServer(async (reader, writer) => {
  for (;;) {
    const [data, descriptors] = await reader.receiveFds(65_536);
    if (data.length === 0) break;
    if (descriptors.length > 0) await writer.sendFds(data, descriptors);
    else writer.write(data);
    await writer.drain();
    for (const descriptor of descriptors) descriptor.close();
  }
  writer.close();
}, path);
const [reader, writer] = await openFdConnection(path);
const large = Buffer.alloc(300_000, "x");
let start = 0;
let exchanges = 0;
for (; exchanges < Number(count); exchanges += 1) {
  const data = exchanges % 20 === 0 ? large : large.subarray(0, 1 + (exchanges % 100));
  void writer.sendFds(data, [0]);
  await reader.readexactly(1);
  for (const descriptor of reader.takeFds()) descriptor.close();
  await reader.readexactly(data.length - 1);
  if (exchanges === 100) start = readdirSync("/proc/self/fd").length;
}
tell({ exchanges, more: readdirSync("/proc/self/fd").length - start });
writer.close();
await server.shutdown();
