/** socat and ncat: as clients, as servers, between two ends of ours, and with the relay of `examples/relay.ts` between them. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { after, describe, it } from "node:test";
import { openUnixConnection, type Server, type SocketAddress } from "asyncio-streams";
import { startRelay } from "../../examples/relay.js";
import { addressOf } from "../support/addresses.js";
import { type End, kinds } from "../support/pairs.js";
import { payload, receiveBytes, sendBytes } from "../support/payload.js";
import { Piped } from "../support/piped.js";
import { socketPath } from "../support/temporary.js";
import { turns, until } from "../support/turns.js";
import { findProgram, program } from "./program.js";

const MIB = 1024 * 1024;
/** socat ends half a second after one of its sides has ended, unless it is told to be patient, in seconds. */
const PATIENCE = ["-t", "60"];
/** The flag of a listening socket in /proc/net/unix. */
const LISTENING = "00010000";

function sha1(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}

async function stop(server: Server): Promise<void> {
  server.close();
  await server.waitClosed();
}

async function end(...ends: readonly End[]): Promise<void> {
  for (const { writer } of ends) writer.close();
  for (const { writer } of ends) await writer.waitClosed();
}

const socat = findProgram("socat", "socat");
const ncat = findProgram("ncat", "ncat");

function socatAddress(address: SocketAddress): string {
  return typeof address === "string" ? `UNIX:${address}` : `TCP:${address[0]}:${address[1]}`;
}

/** Their clients, by name. */
const clients: Readonly<Record<string, (address: SocketAddress) => Piped>> = {
  socat: (address) => new Piped([socat, ...PATIENCE, "-", socatAddress(address)]),
  ncat: (address) => new Piped([ncat, ...(typeof address === "string" ? ["-U", address] : [address[0], String(address[1])])]),
};

/** Their servers, by name, each for one client. */
const servers: Readonly<Record<string, (path: string) => Piped>> = {
  socat: (path) => new Piped([socat, ...PATIENCE, "-", `UNIX-LISTEN:${path}`]),
  ncat: (path) => new Piped([ncat, "-lU", path]),
};

for (const [name, connect] of Object.entries(clients)) {
  for (const kind of kinds) {
    describe(`${name} as a client over ${kind.name}`, () => {
      it("gets its bytes back while it sends them, and our end", async () => {
        const { server } = await kind.serve(async (reader, writer) => {
          for await (const chunk of reader.chunks()) {
            writer.write(chunk);
            await writer.drain();
          }
          writer.close();
        });
        await using client = connect(addressOf(server));
        void client.send(payload(MIB));
        client.endInput();
        assert.equal(await client.end(), 0, client.complaints);
        assert.deepEqual([client.bytes, client.checksum()], [MIB, sha1(payload(MIB))]);
        await stop(server);
      });

      it("ends its side, and receives megabytes after that", async () => {
        let sent: Promise<string> | undefined;
        const { server } = await kind.serve(async (reader, writer) => {
          assert.equal((await reader.read()).toString(), "a question");
          sent = sendBytes(writer, 4 * MIB);
          await sent;
          writer.close();
        });
        await using client = connect(addressOf(server));
        void client.send("a question");
        client.endInput();
        assert.equal(await client.end(), 0, client.complaints);
        assert.deepEqual([client.bytes, client.checksum()], [4 * MIB, await sent]);
        await stop(server);
      });
    });
  }
}

/** Connects as soon as somebody listens. */
async function connected(path: string): Promise<End> {
  for (;;) {
    try {
      const [reader, writer] = await openUnixConnection(path);
      return { reader, writer };
    } catch {
      await turns();
    }
  }
}

for (const [name, listen] of Object.entries(servers)) {
  describe(`${name} as a server on a Unix socket`, () => {
    it("gives and takes megabytes at the same time, byte for byte, and sees our end", async () => {
      const path = socketPath();
      await using server = listen(path);
      const client = await connected(path);
      void server.send(payload(MIB));
      const [sent, received] = await Promise.all([sendBytes(client.writer, 4 * MIB), receiveBytes(client.reader, MIB)]);
      assert.equal(received, sha1(payload(MIB)));
      client.writer.writeEof();
      await until(() => server.bytes === 4 * MIB);
      assert.equal(server.checksum(), sent);
      server.endInput();
      assert.equal((await client.reader.read()).length, 0);
      await end(client);
      await server.end();
      rmSync(path, { force: true });
    });

    it("ends its side, and receives megabytes after that", async () => {
      const path = socketPath();
      await using server = listen(path);
      const client = await connected(path);
      void server.send("a question");
      server.endInput();
      assert.equal((await client.reader.read()).toString(), "a question");
      const sent = await sendBytes(client.writer, 4 * MIB);
      await end(client);
      await server.end();
      assert.deepEqual([server.bytes, server.checksum()], [4 * MIB, sent]);
      rmSync(path, { force: true });
    });
  });
}

/**
 * Their relays, by name, and what they can do. ncat reads nothing while it writes, so that two directions that are full stop each other for good; and whoever ends one side there has
 * ended both.
 */
const relays: Readonly<
  Record<
    string,
    { readonly passesEnds: boolean; readonly concurrent: boolean; readonly args: (front: string, back: SocketAddress) => string[] }
  >
> = {
  socat: {
    passesEnds: true,
    concurrent: true,
    args: (front, back) => [...PATIENCE, `UNIX-LISTEN:${front},fork`, socatAddress(back)],
  },
  ncat: {
    passesEnds: false,
    concurrent: false,
    args: (front, back) => ["-lkU", front, "--sh-exec", `exec ncat ${typeof back === "string" ? `-U ${back}` : `${back[0]} ${back[1]}`}`],
  },
};

for (const [name, { passesEnds, concurrent, args }] of Object.entries(relays)) {
  for (const kind of kinds) {
    describe(`${name} between our client and our server over ${kind.name}`, () => {
      const accepted: End[] = [];
      let server: Server;
      const relay = program({
        name,
        package: name,
        prepare: async () => {
          ({ server } = await kind.serve((reader, writer) => void accepted.push({ reader, writer })));
        },
        args: ({ socket }) => args(socket, addressOf(server)),
        answers: async () => end(...Object.values(await connectThrough())),
      });
      after(() => stop(server));

      async function connectThrough(): Promise<{ readonly client: End; readonly peer: End }> {
        const [reader, writer] = await openUnixConnection(relay.socket);
        await until(() => accepted.length > 0);
        return { client: { reader, writer }, peer: accepted.shift() as End };
      }

      relay.it("passes megabytes both ways, byte for byte", async () => {
        const { client, peer } = await connectThrough();
        const up = (): Promise<string[]> => Promise.all([sendBytes(client.writer, 8 * MIB), receiveBytes(peer.reader, 8 * MIB)]);
        const down = (): Promise<string[]> => Promise.all([sendBytes(peer.writer, 8 * MIB), receiveBytes(client.reader, 8 * MIB)]);
        for (const [sent, received] of concurrent ? await Promise.all([up(), down()]) : [await up(), await down()])
          assert.equal(received, sent);
        await end(client, peer);
      });

      for (const first of passesEnds ? (["client", "peer"] as const) : []) {
        relay.it(`passes the end of the ${first}, and what the other side says after it`, async () => {
          const ends = await connectThrough();
          const other = ends[first === "client" ? "peer" : "client"];
          ends[first].writer.write("a question");
          ends[first].writer.writeEof();
          assert.equal((await other.reader.read()).toString(), "a question");
          const [sent, received] = await Promise.all([sendBytes(other.writer, MIB), receiveBytes(ends[first].reader, MIB)]);
          assert.equal(received, sent);
          other.writer.writeEof();
          assert.equal((await ends[first].reader.read()).length, 0);
          await end(ends.client, ends.peer);
        });
      }
    });
  }
}

/** Whether somebody listens on a path, who may have to keep his one client for somebody else, and is therefore not asked. */
function listens(path: string): boolean {
  const sockets = readFileSync("/proc/net/unix", "utf8").split("\n");
  return sockets.some((line) => line.endsWith(` ${path}`) && line.split(" ")[3] === LISTENING);
}

for (const [clientName, connect] of Object.entries(clients)) {
  for (const [serverName, listen] of Object.entries(servers)) {
    describe(`our relay between ${clientName} and ${serverName}`, () => {
      it("passes megabytes, both ends, and the bytes between the ends", async () => {
        const [path, real] = [socketPath(), socketPath("real.sock")];
        await using server = listen(real);
        await until(() => listens(real));
        const lines: string[] = [];
        const relay = await startRelay(path, real, (text) => lines.push(text.replace(/^\S+ /gm, "")));
        await using client = connect(path);
        void client.send(payload(MIB));
        await until(() => server.bytes === MIB);
        assert.equal(server.checksum(), sha1(payload(MIB)));
        void server.send("the answer");
        await until(() => client.bytes === 10);
        client.endInput(); // ncat as a server takes this for the end of both sides
        await until(() => lines.at(-1) !== "#1 < the answer\n");
        server.endInput();
        assert.equal(await client.end(), 0, client.complaints);
        assert.deepEqual([client.bytes, client.checksum()], [10, sha1(Buffer.from("the answer"))]);
        await until(() => lines.at(-1) === "#1 * closed\n");
        assert.deepEqual(lines.slice(-4), [
          "#1 < the answer\n",
          "#1 * the client has ended\n",
          "#1 * the server has ended\n",
          "#1 * closed\n",
        ]);
        await stop(relay);
        await server.end();
        rmSync(real, { force: true });
      });
    });
  }
}
