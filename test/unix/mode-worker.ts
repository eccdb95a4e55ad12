/** A worker thread that starts and ends a server again and again, with the path and options it was given. */
import { parentPort, workerData } from "node:worker_threads";
import type { StartUnixServerOptions } from "asyncio-streams";
import { end, serve } from "./answering.js";

const { path, options, times } = workerData as { path: string; options: StartUnixServerOptions; times: number };
for (let time = 0; time < times; time += 1) await end(await serve("worker", path, options));
parentPort?.postMessage("done");
