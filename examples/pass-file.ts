/**
 * A broker opens files, and passes them to its clients over a Unix socket. A client gets the open file itself: it needs no right to the
 * path, and sees no other file. Needs Linux; on Node: npm install koffi.
 *
 * Run it: node build/examples/pass-file.js
 * You will see: the contents of the file that the client asked for, and the broker's refusal of any other.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FdStreamReader, type FdStreamWriter, loadUnix, openFdConnection, startFdServer } from "asyncio-streams/unix";

await loadUnix();
const directory = mkdtempSync(join(tmpdir(), "pass-file-"));
const files: Readonly<Record<string, string>> = { motd: join(directory, "motd") };
writeFileSync(files["motd"] as string, "welcome\n", { mode: 0o600 });

/** Answers each name with a line that says how many files belong to it. */
async function serveClient(receiver: FdStreamReader, sender: FdStreamWriter): Promise<void> {
  for await (const name of receiver.lines({ encoding: "utf8" })) {
    const path = Object.hasOwn(files, name) ? files[name] : undefined;
    if (path === undefined) {
      sender.write("0 no such file\n");
      continue;
    }
    const file = openSync(path, "r");
    const sent = sender.sendFds("1 here it is\n", [file]);
    closeSync(file); // sendFds() has duplicated it
    await sent;
  }
  sender.close();
}

const socket = join(directory, "broker.sock");
const server = await startFdServer(serveClient, socket, { mode: 0o600 });

const [receiver, sender] = await openFdConnection(socket);
sender.write("motd\nshadow\n");
sender.writeEof();
for await (const line of receiver.lines({ encoding: "utf8" })) {
  console.log(line);
  for (const descriptor of receiver.takeFds(Number.parseInt(line, 10))) {
    // On Node and Bun, readFileSync(descriptor.fd) works, too. Deno does not accept descriptors that it has not opened.
    console.log(`the file says: ${readFileSync(`/proc/self/fd/${descriptor.fd}`, "utf8").trimEnd()}`);
    descriptor.close();
  }
}
sender.close();
await server.shutdown();
rmSync(directory, { recursive: true });
