/** The client for round trips, on bare node:net: `<socket path> lines <line bytes>`. */
import { once } from "node:events";
import net from "node:net";
import { obeyRuns } from "../load/runs.js";

const NEWLINE = 10;
const [, , path = "", , lineBytes] = process.argv;
const request = Buffer.from(`${"x".repeat(Number(lineBytes) - 1)}\n`);
const socket = net.connect({ path });
await once(socket, "connect");

await obeyRuns(
  (end, latencies) =>
    new Promise((resolve) => {
      let began = performance.now();
      const onData = (chunk: Buffer): void => {
        if (chunk.at(-1) !== NEWLINE) return;
        const now = performance.now();
        latencies.push(now - began);
        if (now >= end) {
          socket.off("data", onData);
          resolve(latencies.length);
          return;
        }
        began = now;
        socket.write(request);
      };
      socket.on("data", onData);
      socket.write(request);
    }),
);
