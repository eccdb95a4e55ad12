/**
 * Run with a path and a number: receives the server on that path from its parent, serves with `node:net` alone, and connects to the path until it has
 * served itself, or as often as the number says. Tells whether it has.
 */
import net from "node:net";
import { tell } from "../support/parent.js";

const [, , path = "", attempts = ""] = process.argv;

function ask(): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect(path);
    socket.on("data", (data) => {
      answer += String(data);
    });
    socket.on("error", () => {}).on("close", () => resolve(answer));
  });
}

const server = await new Promise<net.Server>((resolve) => process.once("message", (_message, handle) => resolve(handle as net.Server)));
server.on("connection", (socket) => socket.on("error", () => {}).end("served"));
let isServed = false;
for (let attempt = 0; attempt < Number(attempts) && !isServed; attempt += 1) isServed = (await ask()) === "served";
tell({ served: isServed });
process.exit();
