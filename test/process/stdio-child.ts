/** Uses the standard streams of its process as `stdio.test.ts` tells it by an argument. */
import { connectReadPipe, connectWritePipe, stdio } from "asyncio-streams/process";

const programs: Readonly<Record<string, () => Promise<void>>> = {
  async echo() {
    const [reader, writer] = stdio();
    for await (const line of reader) {
      writer.write(`you said ${String(line)}`);
      await writer.drain();
    }
  },

  async leave() {
    const [reader, writer] = stdio();
    writer.write(await reader.readline());
    await reader.cancel();
    writer.close();
    await writer.waitClosed();
    console.log("left");
  },

  async "leave-by-block"() {
    await using reader = connectReadPipe(process.stdin);
    console.log(String(await reader.readline()).trimEnd());
  },

  async "come-back"() {
    for (const turn of [1, 2]) {
      await using reader = connectReadPipe(process.stdin, { limit: 100 });
      console.log(`${turn}: ${String(await reader.readline()).trimEnd()}`);
    }
  },

  async "write-much"() {
    const writer = connectWritePipe(process.stdout);
    for (let count = 0; count < 64; count += 1) {
      writer.write(Buffer.alloc(65_536, "x"));
      await writer.drain();
    }
    writer.close();
    await writer.waitClosed();
  },

  async "write-to-the-dead"() {
    const writer = connectWritePipe(process.stdout);
    const told = connectWritePipe(process.stderr);
    await using reader = connectReadPipe(process.stdin);
    await reader.readline(); // until the other end is closed
    const codes: unknown[] = [];
    const note = (error: Error & { code?: string }): void => void codes.push(error.code);
    for (let count = 0; codes.length === 0; count += 1) {
      writer.write("x");
      await writer.drain().catch(note);
    }
    await writer.waitClosed().catch(note);
    told.write(codes.join(" "));
    told.close();
  },
};

await programs[process.argv[2] as string]?.();
