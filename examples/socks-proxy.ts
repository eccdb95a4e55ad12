/**
 * A proxy for SOCKS5 and for HTTP CONNECT on one port: the first byte shows which of the two the client speaks.
 *
 * Run it: node build/examples/socks-proxy.js 1080
 *   and then: curl --socks5-hostname localhost:1080 http://example.com/   or: curl --proxytunnel --proxy localhost:1080 http://example.com/
 * You will see: where it listens, and the target and the bytes of each connection.
 */
import { isIPv6 } from "node:net";
import { fileURLToPath } from "node:url";
import { type ClientConnectedCallback, openConnection, relay, type StreamReader, type StreamWriter, startServer } from "asyncio-streams";

/** Where a client wants to connect. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

const SOCKS_VERSION = 5;
const NO_PASSWORD = 0;
const CONNECT = 1;
const [IPV4, NAME, IPV6] = [1, 3, 4];
const CONNECT_TIMEOUT_MS = 10_000;
/** How long a client may take to say where it wants to connect. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Makes the callback for `startServer()` and `startUnixServer()`. `onDone` is called when a connection has ended. */
export function proxy(onDone: (target: Target, forth: number, back: number) => void): ClientConnectedCallback {
  return async (reader, writer, { signal, ended }) => {
    const asked = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    const isSocks = (await reader.peek(1, { signal: asked }))[0] === SOCKS_VERSION;
    const target = await (isSocks ? readSocksRequest : readHttpRequest)(reader, writer, asked);
    if (target === null) {
      writer.close();
      return;
    }
    let upstream: [StreamReader, StreamWriter];
    try {
      upstream = await openConnection(target.host, target.port, { timeout: CONNECT_TIMEOUT_MS, signal: ended });
    } catch {
      writer.write(isSocks ? socksReply(HOST_UNREACHABLE) : "HTTP/1.1 502 Bad Gateway\r\n\r\n");
      writer.close();
      return;
    }
    writer.write(isSocks ? socksReply(SUCCEEDED) : "HTTP/1.1 200 Connection established\r\n\r\n");
    onDone(target, ...(await relay([reader, writer], upstream, { signal })));
  };
}

const SUCCEEDED = 0;
const HOST_UNREACHABLE = 4;
const COMMAND_NOT_SUPPORTED = 7;

/** The address in it is that of the proxy's own end, which no client needs. */
const socksReply = (code: number): Uint8Array => Uint8Array.of(SOCKS_VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0);

/** RFC 1928. Returns `null` if the request is refused. */
async function readSocksRequest(reader: StreamReader, writer: StreamWriter, signal: AbortSignal): Promise<Target | null> {
  const [, count = 0] = await reader.readexactly(2, { signal });
  const methods = await reader.readexactly(count, { signal });
  writer.write(Uint8Array.of(SOCKS_VERSION, methods.includes(NO_PASSWORD) ? NO_PASSWORD : 0xff));
  if (!methods.includes(NO_PASSWORD)) return null;
  const [, command, , kind] = await reader.readexactly(4, { signal });
  let host: string;
  if (kind === IPV4) host = (await reader.readexactly(4, { signal })).join(".");
  else if (kind === IPV6) host = (await reader.readexactly(16, { signal })).toString("hex").replace(/(....)(?!$)/g, "$1:");
  else if (kind === NAME) host = (await reader.readexactly((await reader.readexactly(1, { signal }))[0] as number, { signal })).toString();
  else return null;
  const port = (await reader.readexactly(2, { signal })).readUInt16BE();
  if (command === CONNECT) return { host, port };
  writer.write(socksReply(COMMAND_NOT_SUPPORTED));
  return null;
}

/** `CONNECT host:port HTTP/1.1`, and a header that does not matter here. */
async function readHttpRequest(reader: StreamReader, writer: StreamWriter, signal: AbortSignal): Promise<Target | null> {
  const head = (await reader.readuntil("\r\n\r\n", { signal, limit: 8_192 })).toString("latin1");
  const [, host, port] = /^CONNECT (\S+):(\d+) HTTP\/1\.[01]\r\n/.exec(head) ?? [];
  const bare = host?.replace(/^\[(.*)\]$/, "$1");
  if (bare !== undefined && (isIPv6(bare) || !bare.includes(":"))) return { host: bare, port: Number(port) };
  writer.write("HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\n\r\n");
  return null;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const log = ({ host, port }: Target, forth: number, back: number): void => console.log(`${host}:${port}: ${forth} bytes, ${back} back`);
  const server = await startServer(proxy(log), "127.0.0.1", Number(process.argv[2] ?? "1080"));
  console.log(`listens on ${String(server.sockets[0]?.getsockname())}`);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.shutdown());
}
