/**
 * A relay that prints the traffic between two programs on a Unix socket, which packet sniffers cannot see. It is transparent to both
 * sides: half-close, backpressure and a broken connection pass through.
 *
 * Run it: mv app.sock app.real && node build/examples/relay.js app.sock app.real
 *   Either address may be host:port.
 * You will see: when each connection, with its number, opens and closes, and what the client (>) and the server (<) send: text as text,
 *   other data in hexadecimal.
 */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import {
  type ClientConnectedCallback,
  openConnection,
  openUnixConnection,
  type Server,
  type StreamReader,
  type StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";

/** Prints lines of the transcript. The relay awaits its result, so that a slow terminal slows the connections and does not fill memory. */
export type Print = (lines: string) => unknown;
/** The source of a line: the client (`>`), the server (`<`), or the relay itself (`*`). */
type Mark = ">" | "<" | "*";
/** Prints rows about one connection. */
type Note = (mark: Mark, ...rows: readonly string[]) => Promise<void>;

/** How long sending the buffered data may take when the other side is broken. */
const GRACE_MS = 1_000;
const BYTES_PER_ROW = 16;

/** Accepts connections on `from` and relays them to `to`. Each address is the path of a Unix socket, or host:port. */
export function startRelay(from: string, to: string, print: Print): Promise<Server> {
  let count = 0;
  const serveClient: ClientConnectedCallback = async (reader, writer) => {
    const number = ++count;
    const note: Note = async (mark, ...rows) => {
      const start = `${new Date().toISOString().slice(11, 23)} #${number} ${mark}`;
      await print(rows.map((row) => `${start} ${row}\n`).join(""));
    };
    await note("*", "connected");
    const problem = await relay(reader, writer, to, note).catch((error: Error) => error);
    await note("*", problem ? `broken: ${problem.message}` : "closed");
  };
  const [host, port] = hostAndPort(from);
  return host === undefined ? startUnixServer(serveClient, from, { mode: 0o600 }) : startServer(serveClient, host, port);
}

async function relay(reader: StreamReader, writer: StreamWriter, to: string, note: Note): Promise<void> {
  await using client = writer;
  const [host, port] = hostAndPort(to);
  const [serverReader, serverWriter] = await (host === undefined ? openUnixConnection(to) : openConnection(host, port));
  await using server = serverWriter;
  try {
    await Promise.all([pass(reader, server, note, ">"), pass(serverReader, client, note, "<")]);
  } catch (error) {
    // Send the data received before the error, then abort both sides.
    const signal = AbortSignal.timeout(GRACE_MS);
    await Promise.allSettled([client.flush({ signal }), server.flush({ signal })]);
    for (const side of [client, server]) side.abort(error as Error);
    throw error;
  }
}

/** Relays one direction: the bytes, then EOF. `drain()` passes backpressure on to the sender. */
async function pass(reader: StreamReader, writer: StreamWriter, note: Note, mark: Mark): Promise<void> {
  let offset = 0;
  for await (const piece of reader.chunks()) {
    await note(mark, ...transcribe(piece, offset));
    offset += piece.length;
    writer.write(piece);
    await writer.drain();
  }
  await note("*", mark === ">" ? "the client has ended" : "the server has ended");
  writer.writeEof();
}

/** Returns one row for each line if the piece is text, else one for each 16 bytes. `offset` is the number of bytes before the piece. */
export function transcribe(piece: Buffer, offset: number): string[] {
  const text = piece.toString();
  if (/^[\t\r\n\P{C}]*$/u.test(text) && !text.includes("\ufffd")) {
    return text.split(/(?<=\n)/).map((line) => line.replace("\r", "\\r").replace("\n", "\\n"));
  }
  return Array.from({ length: Math.ceil(piece.length / BYTES_PER_ROW) }, (_, index) => {
    const row = piece.subarray(index * BYTES_PER_ROW, (index + 1) * BYTES_PER_ROW);
    const address = (offset + index * BYTES_PER_ROW).toString(16).padStart(8, "0");
    const hex = row.toString("hex").replace(/..(?!$)/g, "$& ");
    return `${address}  ${hex.padEnd(3 * BYTES_PER_ROW)} ${row.toString("latin1").replace(/[^ -~]/g, ".")}`;
  });
}

function hostAndPort(address: string): [host: string, port: number] | [] {
  const [, host, port] = /^\[?([^/]+?)\]?:(\d+)$/.exec(address) ?? [];
  return host === undefined ? [] : [host, Number(port)];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [from = "/tmp/relay.sock", to = "/tmp/app.sock"] = process.argv.slice(2);
  let printed: Promise<unknown> = Promise.resolve();
  const print: Print = (lines) => {
    printed = printed.then(() => process.stdout.write(lines) || once(process.stdout, "drain").then(() => true));
    return printed;
  };
  const server = await startRelay(from, to, print);
  await print(`relays ${from} to ${to}\n`);
  const end = (): void => server.abortClients();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, end).once(signal, () => server.close());
}
