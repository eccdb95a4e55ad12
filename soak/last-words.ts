/** A program that connects, writes its last words, and ends. Run by exits.ts. */
import { openVia } from "./client-wires.js";
import type { Words } from "./ends.js";
import { bytesOf } from "./stretches.js";

const { address, stretch, end, via } = JSON.parse(process.argv[2] as string) as Words;
const [, writer] = await openVia(via, address, {});

function speak(): void {
  writer.write(bytesOf(stretch));
}

/** In a turn of the event loop, not in the microtask that connecting ended in. */
await new Promise((resolve) => setImmediate(resolve));

switch (end) {
  case "exit":
    speak();
    process.exit();
    break;
  case "exit after drain()":
    speak();
    await writer.drain();
    process.exit();
    break;
  case "in an exit handler":
    process.on("exit", speak);
    process.exit();
    break;
  case "throws":
    speak();
    throw new Error("on purpose");
    break;
  case "in a handler of SIGTERM":
    process.on("SIGTERM", () => {
      speak();
      process.exit();
    });
    process.kill(process.pid, "SIGTERM");
    break;
  default:
    process.on("uncaughtException", () => {
      speak();
      process.exit(1);
    });
    setImmediate(() => {
      throw new Error("on purpose");
    });
}

