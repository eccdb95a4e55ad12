/**
 * Run with a host and port or a path: connects, does what it is told, and stays until it is killed.
 *
 * `partial` sends seven bytes; `deaf` sends nothing and reads nothing; `rude` sends a line, and leaves what it receives unread, so that its end is a reset.
 */
import { once } from "node:events";
import net from "node:net";
import { tell } from "../net/child.js";

const [, , address = "", behaviour = ""] = process.argv;
const port = Number(address);
// Reading is never begun: what comes stays with the system.
const socket = (Number.isNaN(port) ? net.connect({ path: address }) : net.connect({ host: "127.0.0.1", port })).pause();
socket.on("error", () => {});
await once(socket, "connect");
if (behaviour === "partial") await new Promise<void>((resolve) => socket.write("partial", () => resolve()));
if (behaviour === "rude") await new Promise<void>((resolve) => socket.write("first\nsecond\nunfinished", () => resolve()));
tell("ready");
process.stdin.resume();
