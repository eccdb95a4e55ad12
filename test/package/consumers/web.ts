/** Compiled and never run: what is read goes wherever the web takes bytes, and web streams go where the library takes them. */
import {
  BaseProtocol,
  IncompleteReadError,
  type NonSharedBuffer,
  openConnection,
  openUnixConnection,
  StreamReader,
  StreamWriter,
  startServer,
  startUnixServer,
} from "asyncio-streams";
import { delimited, Framed, lengthPrefixed, netstring } from "asyncio-streams/framing";
import { createSubprocessExec, PIPE } from "asyncio-streams/process";

export async function readInto(reader: StreamReader, writer: StreamWriter, socket: WebSocket): Promise<void> {
  const parts: NonSharedBuffer[] = [];
  await crypto.subtle.digest("SHA-256", await reader.read());
  await crypto.subtle.digest("SHA-256", await reader.readline());
  await crypto.subtle.digest("SHA-256", await reader.readexactly(4));
  await crypto.subtle.digest("SHA-256", await reader.readuntil("x"));
  await crypto.subtle.digest("SHA-256", await reader.peek(4));
  for await (const line of reader) socket.send(line);
  for await (const line of reader.lines()) parts.push(line);
  for await (const lines of reader.lineBatches()) parts.push(...lines);
  for await (const chunk of reader.chunks()) await new Response(chunk).text();
  parts.push(...(await reader.readlines()));
  await fetch("https://example.com/", { method: "POST", body: await reader.read() });
  for (const codec of [lengthPrefixed(), netstring(), delimited("\n")]) {
    const frame = await new Framed(reader, writer, codec).readFrame();
    if (frame !== null) socket.send(frame);
  }
  const child = await createSubprocessExec("ls", [], { stdout: PIPE });
  const [output] = await child.communicate();
  parts.push(output, new IncompleteReadError(new Uint8Array(1)).partial);
  socket.send(new Blob(parts));
}

export async function convert(reader: StreamReader, writer: StreamWriter): Promise<void> {
  await new Response(reader.toWeb()).text();
  const text: ReadableStream<string> = reader.toWeb().pipeThrough(new TextDecoderStream());
  await text.pipeTo(writer.toWeb());
  await reader.toWeb().pipeThrough(new CompressionStream("gzip")).pipeTo(writer.toWeb());
  await new Response("x").body?.pipeTo(writer.toWeb());
  await new Blob([]).stream().pipeTo(writer.toWeb());
  const gzip = new CompressionStream("gzip");
  StreamWriter.from(gzip.writable).write("x");
  StreamReader.from(gzip.readable);
  StreamReader.from(new Blob([]).stream());
}

export class Digest extends BaseProtocol {
  override dataReceived(data: NonSharedBuffer): void {
    void crypto.subtle.digest("SHA-256", data);
  }
}

export class Plain extends BaseProtocol {
  override dataReceived(data: Buffer): void {
    void data.length;
  }
}

export async function addresses(): Promise<void> {
  const [, unix] = await openUnixConnection("/run/app.sock");
  const path: string | null = unix.getExtraInfo("peername");
  const [, tcp] = await openConnection("localhost", 1);
  const port: number | undefined = tcp.getExtraInfo("peername")?.[1];
  const host: string = tcp.transport.getExtraInfo("sockname", ["", 0] as const)[0];
  const either = path === null ? unix : tcp;
  const kind: "string" | "object" = typeof either.getExtraInfo("peername") === "string" ? "string" : "object";
  const writers: StreamWriter[] = [unix, tcp];
  // @ts-expect-error there is no such key
  either.getExtraInfo("peernam");
  await startUnixServer((_reader, writer) => void writer.getExtraInfo("peername")?.toUpperCase(), "/run/app.sock", { mode: 0o600 });
  const server = await startServer((_reader, writer) => void writer.getExtraInfo("peername")?.[0].toUpperCase(), null, 0);
  const listening: number | undefined = server.sockets[0]?.getsockname()[1];
  await startUnixServer(
    // @ts-expect-error the address in a header of the PROXY protocol may be of either kind
    (_reader, writer) => void writer.getExtraInfo("peername")?.toUpperCase(),
    "/run/app.sock",
    { proxyProtocol: true },
  );
  void [port, host, kind, writers, listening];
}
