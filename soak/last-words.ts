/** A program that connects, writes its last words, and ends. Run by exits.ts. */
import { openVia } from "./client-wires.js";
import type { Words } from "./ends.js";
import { bytesOf } from "./stretches.js";

const { address, stretch, end, via } = JSON.parse(process.argv[2] as string) as Words;
const [, writer] = await openVia(via, address, {});

function speak(): void {
  writer.write(bytesOf(stretch));
}

const ways: Readonly<Record<Words["end"], () => Promise<void> | void>> = {
  exit() {
    speak();
    process.exit();
  },
  async "exit after drain()"() {
    speak();
    await writer.drain();
    process.exit();
  },
  "in an exit handler"() {
    process.on("exit", speak);
    process.exit();
  },
  throws() {
    speak();
    throw new Error("on purpose");
  },
  "in a handler of SIGTERM"() {
    process.on("SIGTERM", () => {
      speak();
      process.exit();
    });
    process.kill(process.pid, "SIGTERM");
  },
  "in a handler of uncaughtException"() {
    process.on("uncaughtException", () => {
      speak();
      process.exit(1);
    });
    throw new Error("on purpose");
  },
};

// In a turn of the event loop, not in the microtask that connecting ended in.
setImmediate(() => void ways[end]());
