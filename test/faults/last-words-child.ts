/**
 * Run with a way to end, the address of a server (a path, or a port), and `tls` for TLS: connects, and ends that way with its last words written in the same turn of the event loop.
 * Over TLS they are one write, since Node's engine takes one at a time and a process that exits has no turn for the next.
 */
import { type OpenConnectionOptions, openConnection, openUnixConnection, type StreamWriter } from "asyncio-streams";
import { trust } from "../support/certificates.js";

const [, , way = "", address = "", security = ""] = process.argv;
const options: OpenConnectionOptions = security === "tls" ? { ssl: trust, serverHostname: "localhost" } : {};

async function connect(): Promise<StreamWriter> {
  const port = Number(address);
  const [, writer] = await (Number.isNaN(port) ? openUnixConnection(address, options) : openConnection("127.0.0.1", port, options));
  writer.write("first\n");
  await writer.flush();
  return writer;
}

const writer = await connect();
const LONG = "x".repeat(5000);
const speak = (): void => {
  if (security === "tls") writer.write(`last words\n${LONG}\n`);
  else {
    writer.write("last ");
    writer.writelines(["words", "\n", LONG, "\n"]);
  }
};

const WAYS: Readonly<Record<string, () => unknown>> = {
  "process.exit()"() {
    speak();
    process.exit();
  },
  async "drain() and process.exit()"() {
    speak();
    await writer.drain();
    process.exit();
  },
  "close() and process.exit()"() {
    speak();
    writer.close();
    process.exit();
  },
  "an 'exit' handler"() {
    process.on("exit", speak);
    setImmediate(() => process.exit());
  },
  "an 'exit' handler, after a write in the same turn"() {
    process.on("exit", () => writer.writelines(["words", "\n", LONG, "\n"]));
    writer.write("last ");
    process.exit();
  },
  "a SIGTERM handler"() {
    process.on("SIGTERM", () => {
      speak();
      process.exit();
    });
    process.kill(process.pid, "SIGTERM");
    setInterval(() => {}, 1000);
  },
  "an uncaughtException handler"() {
    process.on("uncaughtException", () => {
      speak();
      process.exit();
    });
    setImmediate(() => {
      throw new Error("on purpose");
    });
  },
  "an error that nobody catches"() {
    setImmediate(() => {
      speak();
      throw new Error("on purpose");
    });
  },
  "a rejection that nobody handles"() {
    setImmediate(() => {
      speak();
      void Promise.reject(new Error("on purpose"));
    });
  },
};

await WAYS[way]?.();
