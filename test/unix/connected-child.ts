/** Takes descriptor 3 for a connection, tells its names, says "ours", and then answers each line, in capitals, until the peer's end. */
import { openUnixConnection } from "asyncio-streams";
import { tell } from "../support/parent.js";

const [reader, writer] = await openUnixConnection(null, { sock: 3 });
tell([writer.getExtraInfo("sockname"), writer.getExtraInfo("peername")]);
writer.write("ours\n");
for await (const line of reader) writer.write(line.toString().toUpperCase());
writer.write("the end\n");
writer.close();
await writer.waitClosed();
tell("closed");
