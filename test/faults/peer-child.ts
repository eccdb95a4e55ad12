/**
 * Run with a host and port or a path: connects, does what it is told, and stays until it is killed.
 *
 * `partial` sends seven bytes; `deaf` sends nothing and reads nothing; `rude` sends a line, and leaves what it receives unread, so that its end is a reset; `flood`
 * sends without end; `record` speaks TLS, sends a line, and then a half of the next record.
 */
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { trust } from "../support/certificates.js";
import { tell } from "../support/parent.js";
import { pattern } from "./pattern.js";

/** Of a record with a thousand bytes in it. */
const HALF_A_RECORD_BYTES = 500;

const [, , address = "", behaviour = ""] = process.argv;

function connect(): net.Socket {
  const port = Number(address);
  const socket = Number.isNaN(port) ? net.connect({ path: address }) : net.connect({ host: "127.0.0.1", port });
  return socket.on("error", () => {});
}

function send(socket: net.Socket, data: string | Buffer): Promise<void> {
  return new Promise((resolve) => socket.write(data, () => resolve()));
}

/** A way to `to` that lets a part of the next record through, once it is told. */
async function relayTo(to: net.Socket): Promise<{ readonly port: number; readonly cut: () => Promise<void> }> {
  let left = Infinity;
  let through = (): void => {};
  const server = net.createServer((from) => {
    to.on("data", (chunk) => from.write(chunk));
    from
      .on("error", () => {})
      .on("data", (chunk) => {
        to.write(chunk.subarray(0, left), () => left === 0 && through());
        left = Math.max(0, left - chunk.length);
      });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as net.AddressInfo).port,
    cut: () => {
      left = HALF_A_RECORD_BYTES;
      return new Promise((resolve) => {
        through = resolve;
      });
    },
  };
}

async function sendHalfARecord(): Promise<void> {
  const relay = await relayTo(connect());
  const secured = tls.connect({ host: "127.0.0.1", port: relay.port, servername: "localhost", ...trust });
  await once(secured, "secureConnect");
  await send(secured, "first\n");
  // The server answers, so all of that has gone through.
  await once(secured, "data");
  const cut = relay.cut();
  secured.write(Buffer.alloc(2 * HALF_A_RECORD_BYTES));
  await cut;
}

if (behaviour === "record") await sendHalfARecord();
else {
  // Reading is never begun: what comes stays with the system.
  const socket = connect().pause();
  await once(socket, "connect");
  if (behaviour === "partial") await send(socket, "partial");
  if (behaviour === "rude") await send(socket, "first\nsecond\nunfinished");
  if (behaviour === "flood") for (let sent = 0; sent < 64; sent += 1) socket.write(pattern(sent * 1_048_576, 1_048_576));
}
tell("ready");
process.stdin.resume();
