/** Client connections on bare node:net. */
import net from "node:net";
import { connectInRuns, path, port, request } from "./connecting.js";

const target: net.NetConnectOpts = port === null ? { path } : { host: "127.0.0.1", port, noDelay: true };

await connectInRuns(
  () =>
    new Promise((resolve, reject) => {
      const socket = net.connect(target);
      let received = 0;
      socket.on("data", (chunk: Buffer) => {
        received += chunk.length;
        if (received === request.length) socket.end();
      });
      socket.on("error", reject);
      socket.on("close", () => resolve());
      socket.write(request);
    }),
);
