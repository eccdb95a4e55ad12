/**
 * A process that may open few descriptors: `receive path` serves, and reports what a client has sent; `accept path` serves, and opens files
 * until one more descriptor is left; `send path count` sends messages with 20 descriptors each to a server that does not read at first.
 */
import { closeSync, openSync, readdirSync } from "node:fs";
import { type FdStreamWriter, loadUnix, openFdConnection, startFdServer } from "asyncio-streams/unix";
import { commands, tell } from "../support/parent.js";

const openNow = (): number => readdirSync("/proc/self/fd").length;

const [, , kind, path, count = "0"] = process.argv;
await loadUnix();
if (kind === "receive") {
  const errors: string[] = [];
  const server = await startFdServer(async (reader, writer) => {
    try {
      for (;;) {
        const [data, descriptors] = await reader.receiveFds(65_536);
        if (data.length === 0) break;
        writer.write(`${descriptors.length}\n`);
        for (const descriptor of descriptors) descriptor.close();
      }
    } catch (error) {
      errors.push(`${(error as { code?: string }).code}: ${reader.bufferedFds} left`);
    }
    writer.close();
  }, path);
  const [, first] = await openFdConnection(path); // what the first connection opens for good
  first.close();
  await first.waitClosed();
  while (server.getStats().active > 0) await new Promise((resolve) => setImmediate(resolve));
  const idle = openNow();
  tell("ready");
  for await (const [command] of commands()) if (command === "look") tell({ errors, more: openNow() - idle });
  await server.shutdown();
} else if (kind === "accept") {
  const errors: unknown[] = [];
  const answer = async (_reader: unknown, writer: FdStreamWriter): Promise<void> => {
    writer.write("hello\n");
    await writer.drain();
    writer.close();
  };
  const onClientError = (error: unknown): void => void errors.push((error as { code?: string }).code);
  const server = await startFdServer(answer, path, { onClientError });
  const hoard: number[] = [];
  tell("ready");
  for await (const [command] of commands()) {
    if (command === "fill") {
      try {
        for (;;) hoard.push(openSync("/dev/null", "r"));
      } catch {
        closeSync(hoard.pop() as number);
      }
      tell("full");
    } else {
      for (const fd of hoard.splice(0)) closeSync(fd);
      tell(errors);
    }
  }
  await server.shutdown();
} else {
  const [reader, writer] = await openFdConnection(path);
  const fds = Array.from({ length: 20 }, () => 0);
  const sending = Array.from({ length: Number(count) }, (_, index) => index);
  tell("ready");
  let sent = 0;
  for await (const [command] of commands()) {
    if (command === "send") {
      const all = (async () => {
        for (const index of sending) {
          await writer.sendFds(Buffer.of(index), fds);
          sent += 1;
        }
      })();
      // As many as the system takes at once.
      for (let before = -1, turns = 0; turns < 20; turns = before === sent ? turns + 1 : 0, before = sent)
        await new Promise((resolve) => setImmediate(resolve));
      tell(sent);
      void all.then(() => tell("all"));
    } else if (command === "read") tell((await reader.readline()).toString());
  }
  writer.close();
  await writer.waitClosed();
}
