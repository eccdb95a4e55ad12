/** Reads its standard input by `StreamReader.from()` in one of several ways, and has nothing else to do: it ends when its input no longer keeps it. */
import { StreamReader } from "asyncio-streams";

const reader = StreamReader.from(process.stdin);

/** Each prints a line that it has read. */
const ways: Readonly<Record<string, () => Promise<void>>> = {
  async cancel() {
    console.log(String(await reader.readline()).trimEnd());
    await reader.cancel();
  },
  async dispose() {
    await using own = reader;
    console.log(String(await own.readline()).trimEnd());
  },
  async leave() {
    for await (const line of reader) {
      console.log(String(line).trimEnd());
      break;
    }
  },
  async "leave lines()"() {
    for await (const line of reader.lines({ encoding: "utf8" })) {
      console.log(line);
      break;
    }
  },
  async "leave, and go on"() {
    await ways["leave"]?.();
    await ways["leave"]?.();
    console.log(String(await reader.readline()).trimEnd());
    await ways["leave lines()"]?.();
  },
};

await ways[process.argv[2] as string]?.();
console.log("left");
