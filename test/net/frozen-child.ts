/** Run with a host and a port, or with a path: listens there with a short queue. The parent stops the process, so that the queue fills and connecting hangs. */
import { once } from "node:events";
import net from "node:net";
import { tell } from "../support/parent.js";

const [, , host = "", port] = process.argv;
const server = net.createServer().listen({ ...(port === undefined ? { path: host } : { host, port: Number(port) }), backlog: 1 });
await once(server, "listening");
tell("listening");
