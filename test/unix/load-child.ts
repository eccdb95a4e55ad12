/** Prints what `loadUnix()` has loaded, with the user ID that the kernel reports; or its error, and then what is loaded by default. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openUnixConnection, startUnixServer } from "asyncio-streams";
import { getPeerCredentials, type LoadUnixOptions, loadUnix } from "asyncio-streams/unix";

async function load(options: LoadUnixOptions): Promise<void> {
  const { ffi } = await loadUnix(options);
  const directory = mkdtempSync(join(tmpdir(), "as-"));
  const path = join(directory, "s");
  const server = await startUnixServer((_reader, writer) => writer.close(), path);
  const [, writer] = await openUnixConnection(path);
  console.log(ffi, getPeerCredentials(writer).uid);
  writer.close();
  await server.shutdown();
  rmSync(directory, { recursive: true });
}

const [, , ffi] = process.argv;
try {
  await load({ ffi } as LoadUnixOptions);
} catch (error) {
  const { name, code, message } = error as Error & { code: string };
  console.log(name, code, message);
  if (ffi !== undefined) await load({});
}
