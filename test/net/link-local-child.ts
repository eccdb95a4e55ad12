/** Listens on and connects to link-local addresses of the interface lo, by its name and by its number, and tells all addresses. */
import { openConnection, startServer } from "asyncio-streams";
import { tell } from "../support/parent.js";

for (const zone of ["lo", "1"]) {
  const served: unknown[] = [];
  const server = await startServer(
    (_reader, writer) => {
      served.push(writer.getExtraInfo("sockname"), writer.getExtraInfo("peername"));
      writer.close();
    },
    `fe80::7%${zone}`,
    0,
  );
  const listening = server.sockets[0]!.getsockname();
  const [reader, writer] = await openConnection(`fe80::7%${zone}`, listening[1], { localAddr: [`fe80::8%${zone}`, 0] });
  await reader.read();
  const connected = [writer.getExtraInfo("sockname"), writer.getExtraInfo("peername")];
  writer.close();
  await writer.waitClosed();
  await server.shutdown();
  tell({ listening, served, connected });
}
