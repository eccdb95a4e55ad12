/** Prints the credentials of the process that listens on a path. */
import { openUnixConnection } from "asyncio-streams";
import { getPeerCredentials, loadUnix } from "asyncio-streams/unix";

await loadUnix();
const [, writer] = await openUnixConnection(process.argv[2]);
console.log(JSON.stringify(getPeerCredentials(writer)));
writer.transport.abort();
