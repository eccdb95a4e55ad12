/** Calls `getPeerCredentials()` before and after `loadUnix()`, for connections made before it. */
import { openUnixConnection, startUnixServer } from "asyncio-streams";
import { getPeerCredentials, loadUnix } from "asyncio-streams/unix";

const outcome = (call: () => unknown): unknown => {
  try {
    return call();
  } catch (error) {
    return String(error);
  }
};

const path = process.argv[2] as string;
const server = await startUnixServer((_reader, writer) => writer.write("hello\n"), path);
const [, one] = await openUnixConnection(path);
const [, other] = await openUnixConnection(path);
const early = outcome(() => getPeerCredentials(one));
other.close();
await other.waitClosed();
await loadUnix();
const info = one.getExtraInfo("peercred");
const open = outcome(() => getPeerCredentials(one).pid);
const closed = outcome(() => getPeerCredentials(other));
console.log(JSON.stringify({ early, info, open, closed }));
one.close();
await server.shutdown({ graceMs: 0 });
