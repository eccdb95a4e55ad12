/** Who is compared: by name, the program that serves, and for round trips the client that belongs to it. */

/** What a contestant needs to be installed beside Node.js. */
export type Need = "python" | "uvloop" | "gcc";

export interface Contestant {
  readonly name: string;
  /** A file of servers/, without its ending. */
  readonly server: string;
  /** Which of the server's handlers. */
  readonly form: string;
  readonly language: "javascript" | "python" | "c";
  readonly needs: readonly Need[];
}

export const isOurs = (name: string): boolean => name.startsWith("ours");

const javascript = (name: string, server: string, form: string): Contestant => ({ name, server, form, language: "javascript", needs: [] });

const python = (loop: "asyncio" | "uvloop", form: string, name: string = loop): Contestant => ({
  name,
  server: "asyncio_server",
  form: `${form} ${loop}`,
  language: "python",
  needs: loop === "uvloop" ? ["uvloop"] : ["python"],
});

const c = (name: string, form: string): Contestant => ({ name, server: "epoll-server", form, language: "c", needs: ["gcc"] });

const CONTESTANTS: readonly Contestant[] = [
  javascript("ours: for await", "ours", "iterate"),
  javascript("ours: readline()", "ours", "readline"),
  javascript("ours: read(65536)", "ours", "read"),
  javascript("ours: readexactly(1 MiB)", "ours", "readexactly"),
  javascript("ours: readinto(64 KiB)", "ours", "readinto"),
  javascript("ours: startTls()", "ours", "startTls"),
  javascript("ours: frames", "ours-messages", "frames"),
  javascript("ours: lines({ encoding })", "ours-messages", "text"),
  javascript("ours: ndjson", "ours-messages", "json"),
  javascript("ours: relay()", "ours-messages", "relay"),
  javascript("ours: connect", "connect-ours", "connect"),
  javascript("ours: import", "start", "ours"),
  javascript("node:net, frames", "node-messages", "frames"),
  javascript("node:net, text", "node-messages", "text"),
  javascript("node:net, JSON", "node-messages", "json"),
  javascript("node:net, pipe", "node-messages", "relay"),
  javascript("node:net, connect", "connect-node-net", "connect"),
  javascript("node:net, import", "start", "net"),
  javascript("node:net and node:tls, import", "start", "tls"),
  javascript("node:net", "node-net", "lines"),
  javascript("node:net, whole chunks", "node-net", "chunks"),
  javascript("node:net, data", "node-net", "swallow"),
  javascript("node:tls", "node-net", "lines"),
  javascript("node:tls, STARTTLS", "node-net", "startTls"),
  javascript("node:tls, data", "node-net", "swallow"),
  javascript("node:readline", "node-readline", "iterate"),
  javascript("node:readline, CRLF", "node-readline", "crlf"),
  javascript("node:readline, JSON", "node-readline", "json"),
  javascript("promise-socket", "promise-socket", "lines"),
  python("asyncio", "readline"),
  python("asyncio", "read", "asyncio, read"),
  python("asyncio", "readexactly", "asyncio, readexactly"),
  python("uvloop", "readline"),
  python("uvloop", "read", "uvloop, read"),
  python("uvloop", "readexactly", "uvloop, readexactly"),
  ...(["asyncio", "uvloop"] as const).flatMap((loop) => [
    python(loop, "frames", `${loop}, frames`),
    python(loop, "text", `${loop}, text`),
    python(loop, "json", `${loop}, JSON`),
    python(loop, "relay", `${loop}, relay`),
    { ...python(loop, "connect", `${loop}, connect`), server: "asyncio_client" },
    { ...python(loop, "import", `${loop}, import`), server: "start" },
  ]),
  c("C epoll", "echo"),
  c("C epoll, read", "swallow"),
  { ...c("C splice", "relay"), server: "splice-relay" },
];

export function findContestant(name: string): Contestant {
  const contestant = CONTESTANTS.find((each) => each.name === name);
  if (contestant === undefined) throw new Error(`there is no contestant ${name}`);
  return contestant;
}
