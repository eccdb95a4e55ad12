/** Client connections on asyncio-streams. */
import { openConnection, openUnixConnection } from "asyncio-streams";
import { connectInRuns, path, port, request } from "./connecting.js";

await connectInRuns(async () => {
  const [reader, writer] = port === null ? await openUnixConnection(path) : await openConnection("127.0.0.1", port);
  writer.write(request);
  const answer = await reader.readline();
  if (answer.length !== request.length) throw new Error(`an answer of ${answer.length} bytes`);
  writer.close();
  await writer.waitClosed();
});
