/**
 * A daemon that speaks netstrings: each request is one frame, such as "add apples 3", and so is each answer.
 *
 * Run it: node build/examples/netstring-daemon.js /tmp/counter.sock
 *   and then: printf '12:add apples 3,' | nc -U /tmp/counter.sock
 * You will see: where it listens; the client sees 1:3, and with each further "add" a larger number.
 */
import { fileURLToPath } from "node:url";
import { type ClientConnectedCallback, startUnixServer } from "asyncio-streams";
import { Framed, netstring } from "asyncio-streams/framing";

const IDLE_MS = 60_000;

/** Makes the callback for `startUnixServer()`. All clients share the counters. */
export function counterDaemon(): ClientConnectedCallback {
  const counters = new Map<string, number>();
  return async (reader, writer) => {
    const client = new Framed(reader, writer, netstring({ maxFrameSize: 1_000 }));
    for (;;) {
      const request = await client.readFrame({ timeout: IDLE_MS });
      if (request === null) break;
      const [command, name = "", amount = "1"] = request.toString().split(" ");
      if (command === "add") counters.set(name, (counters.get(name) ?? 0) + Number(amount));
      const isKnown = command === "add" || command === "get";
      client.writeFrame(isKnown ? String(counters.get(name) ?? 0) : `no command ${command}`);
      await client.drain(); // a client that does not read its answers is not read from
    }
    writer.close();
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = process.argv[2] ?? "/tmp/counter.sock";
  const server = await startUnixServer(counterDaemon(), path, { mode: 0o600 });
  console.log(`listens on ${path}`);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.shutdown());
}
