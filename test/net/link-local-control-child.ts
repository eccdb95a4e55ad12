/** Listens on a link-local address with `node:net` alone, connects to a port of it on which nobody listens, and tells the errors' codes. */
import net from "node:net";
import { tell } from "../support/parent.js";

function outcome(emitter: net.Server | net.Socket, event: string): Promise<string | null> {
  return new Promise((resolve) => {
    emitter.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    emitter.on(event, () => resolve(null));
  });
}

const server = net.createServer();
const listen = await outcome(server.listen(0, "fe80::7%lo"), "listening");
if (listen === null) server.close();
tell({ listen, connect: await outcome(net.connect({ host: "fe80::7%lo", port: 9 }), "connect") });
