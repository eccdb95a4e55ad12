/** The works that the servers are compared in, each with its load, its contestants and the ratios to reach. */

/** How a work is driven and what is measured. */
type Kind = "lines" | "swallow" | "idle" | "churn" | "round-trip" | "connect" | "relay" | "start";

/** What a message is: a line, a frame behind four bytes of its length, a line that ends with CRLF, or a line of JSON. */
export type Format = "lf" | "prefixed" | "crlf" | "json";

/** Ours against a peer: the cost of the form, divided by the peer's. */
interface Target {
  readonly ours: string;
  readonly peer: string;
  readonly atMost: number;
}

export interface Work {
  readonly id: string;
  readonly title: string;
  readonly kind: Kind;
  readonly connections: number;
  /** Lines that a connection sends at once, then waiting until all are back. */
  readonly lines: number;
  readonly lineBytes: number;
  readonly tls: boolean;
  /** Default: lines. */
  readonly format?: Format;
  /** For works that connect: over what, and how many connections a run makes; `null`: as many as there is time for, once it is warm. */
  readonly connect?: { readonly over: "unix" | "tcp"; readonly count: number | null };
  /** For works that compare handshakes: when TLS begins, and whether clients resume a session. */
  readonly handshake?: { readonly begin: "ssl" | "startTls"; readonly resumed: boolean };
  /** What is compared: its name, and how many of its unit one of ours (second per line, second per byte, byte per connection ...) is. */
  readonly cost: { readonly name: string; readonly factor: number };
  /** Throughput, likewise from units per second. */
  readonly rate: { readonly name: string; readonly factor: number };
  /** Names of contestants, in the order of the table. */
  readonly contestants: readonly string[];
  readonly targets: readonly Target[];
}

const LINE_COST = { name: "CPU µs/line", factor: 1e6 };
const LINE_RATE = { name: "lines/s", factor: 1 };
const STREAM_COST = { name: "CPU s/GB", factor: 1e9 };
const STREAM_RATE = { name: "GB/s", factor: 1e-9 };
const CONNECTION_RATE = { name: "connections/s", factor: 1 };

const ITERATE = "ours: for await";
const READLINE = "ours: readline()";
const READ = "ours: read(65536)";
const READEXACTLY = "ours: readexactly(1 MiB)";
const READINTO = "ours: readinto(64 KiB)";
const FRAMES = "ours: frames";
const TEXT = "ours: lines({ encoding })";
const NDJSON = "ours: ndjson";
const RELAY = "ours: relay()";
const CONNECT = "ours: connect";
const IMPORT = "ours: import";
const NET = "node:net";

const LINE_CONTESTANTS = [
  ITERATE,
  READLINE,
  NET,
  "node:net, whole chunks",
  "node:readline",
  "promise-socket",
  "asyncio",
  "uvloop",
  "C epoll",
];

const START_TLS = "ours: startTls()";
const NODE_START_TLS = "node:tls, STARTTLS";

const plain = { lines: 1, lineBytes: 64, tls: false, connections: 1 };

/** One handshake for each connection, and a line each way. */
const handshakes = (begin: "ssl" | "startTls", resumed: boolean): Work => {
  const [ours, peer] = begin === "ssl" ? [READLINE, "node:tls"] : [START_TLS, NODE_START_TLS];
  return {
    ...plain,
    id: `W8c-${begin === "ssl" ? "tls" : "starttls"}-${resumed ? "resumed" : "new"}`,
    title: `handshakes of ${begin === "ssl" ? "TLS" : "STARTTLS"}, ${resumed ? "resumed" : "new"} sessions, one context`,
    kind: "churn",
    connections: 8,
    tls: true,
    handshake: { begin, resumed },
    cost: { name: "CPU µs/handshake", factor: 1e6 },
    rate: { name: "handshakes/s", factor: 1 },
    contestants: [ours, peer],
    targets: [{ ours, peer, atMost: 1.05 }],
  };
};

/** Client connections, 16 at a time, with a line each way. The client is measured. */
const connections = (over: "unix" | "tcp", first: boolean): Work => ({
  ...plain,
  id: `W12-${over}${first ? "-first" : ""}`,
  title: `clients over ${over === "tcp" ? "TCP" : "Unix sockets"}: ${first ? "the first 1,000 connections of a process" : "open, one line each way, close"}`,
  kind: "connect",
  connections: 16,
  connect: { over, count: first ? 1_000 : null },
  cost: { name: "CPU µs/connection", factor: 1e6 },
  rate: CONNECTION_RATE,
  contestants: [CONNECT, "node:net, connect", "asyncio, connect", "uvloop, connect"],
  targets: first
    ? [{ ours: CONNECT, peer: "node:net, connect", atMost: 1 }]
    : [
        { ours: CONNECT, peer: "node:net, connect", atMost: over === "tcp" ? 0.9 : 0.75 },
        { ours: CONNECT, peer: "uvloop, connect", atMost: 1.5 },
      ],
});

/** Both ways of reading lines have to reach the same. */
const bothForms = (peer: string, atMost: number): Target[] => [
  { ours: ITERATE, peer, atMost },
  { ours: READLINE, peer, atMost },
];

export const WORKS: readonly Work[] = [
  {
    ...plain,
    id: "W1",
    title: "64 connections, one 64-byte line in flight each",
    kind: "lines",
    connections: 64,
    cost: LINE_COST,
    rate: LINE_RATE,
    contestants: LINE_CONTESTANTS,
    targets: [...bothForms(NET, 1), ...bothForms("uvloop", 1), ...bothForms("asyncio", 0.25)],
  },
  {
    ...plain,
    id: "W2",
    title: "16 connections, 100 lines of 64 bytes in flight",
    kind: "lines",
    connections: 16,
    lines: 100,
    cost: LINE_COST,
    rate: LINE_RATE,
    contestants: LINE_CONTESTANTS,
    targets: [...bothForms(NET, 0.12), ...bothForms("node:readline", 0.12), ...bothForms("uvloop", 0.25), ...bothForms("asyncio", 0.06)],
  },
  {
    ...plain,
    id: "W3",
    title: "4 connections, 16 lines of 16 KiB in flight",
    kind: "lines",
    connections: 4,
    lines: 16,
    lineBytes: 16_384,
    cost: LINE_COST,
    rate: LINE_RATE,
    contestants: LINE_CONTESTANTS,
    targets: [...bothForms(NET, 0.9), ...bothForms("uvloop", 0.5)],
  },
  {
    ...plain,
    id: "W4",
    title: "swallow a stream",
    kind: "swallow",
    cost: STREAM_COST,
    rate: STREAM_RATE,
    contestants: [
      READ,
      READEXACTLY,
      READINTO,
      "node:net, data",
      "asyncio, read",
      "asyncio, readexactly",
      "uvloop, read",
      "uvloop, readexactly",
      "C epoll, read",
    ],
    targets: [
      { ours: READ, peer: "node:net, data", atMost: 1 },
      { ours: READEXACTLY, peer: "node:net, data", atMost: 1 },
      { ours: READ, peer: "uvloop, read", atMost: 0.8 },
      { ours: READEXACTLY, peer: "uvloop, readexactly", atMost: 0.8 },
      { ours: READINTO, peer: "C epoll, read", atMost: 1.4 },
    ],
  },
  {
    ...plain,
    id: "W5",
    title: "memory of each idle connection, after one line",
    kind: "idle",
    cost: { name: "KiB/connection", factor: 1 / 1024 },
    rate: { name: "connections", factor: 1 },
    contestants: [ITERATE, NET, "asyncio", "uvloop"],
    targets: [{ ours: ITERATE, peer: NET, atMost: 1.25 }],
  },
  {
    ...plain,
    id: "W6",
    title: "open, one line each way, close",
    kind: "churn",
    connections: 16,
    cost: { name: "CPU µs/connection", factor: 1e6 },
    rate: CONNECTION_RATE,
    contestants: [ITERATE, NET, "asyncio", "uvloop", "C epoll"],
    // 0.9 of the connections for each second of CPU time.
    targets: [{ ours: ITERATE, peer: NET, atMost: 1 / 0.9 }],
  },
  {
    ...plain,
    id: "W7",
    title: "one client, request and answer in turn, the same library at both ends",
    kind: "round-trip",
    cost: { name: "median µs", factor: 1e6 },
    rate: { name: "round trips/s", factor: 1 },
    contestants: [ITERATE, READLINE, NET],
    targets: bothForms(NET, 1.05),
  },
  {
    ...plain,
    id: "W8a",
    title: "W1 over TLS",
    kind: "lines",
    connections: 64,
    tls: true,
    cost: LINE_COST,
    rate: LINE_RATE,
    contestants: [ITERATE, READLINE, "node:tls"],
    targets: bothForms("node:tls", 1.05),
  },
  {
    ...plain,
    id: "W8b",
    title: "W4 over TLS",
    kind: "swallow",
    tls: true,
    cost: STREAM_COST,
    rate: STREAM_RATE,
    contestants: [READ, READEXACTLY, "node:tls, data"],
    targets: [
      { ours: READ, peer: "node:tls, data", atMost: 1.05 },
      { ours: READEXACTLY, peer: "node:tls, data", atMost: 1.05 },
    ],
  },
  handshakes("ssl", false),
  handshakes("ssl", true),
  handshakes("startTls", false),
  handshakes("startTls", true),
  {
    ...plain,
    id: "W9",
    title: "16 connections, 100 frames of 4 + 60 bytes in flight",
    kind: "lines",
    connections: 16,
    lines: 100,
    format: "prefixed",
    cost: { name: "CPU µs/frame", factor: 1e6 },
    rate: { name: "frames/s", factor: 1 },
    contestants: [FRAMES, "node:net, frames", "asyncio, frames", "uvloop, frames", "C epoll"],
    targets: [
      { ours: FRAMES, peer: "node:net, frames", atMost: 0.3 },
      { ours: FRAMES, peer: "uvloop, frames", atMost: 0.5 },
    ],
  },
  {
    ...plain,
    id: "W10",
    title: "16 connections, 100 lines of text with CRLF in flight",
    kind: "lines",
    connections: 16,
    lines: 100,
    format: "crlf",
    cost: LINE_COST,
    rate: LINE_RATE,
    contestants: [TEXT, "node:net, text", "node:readline, CRLF", "asyncio, text", "uvloop, text", "C epoll"],
    targets: [{ ours: TEXT, peer: "node:readline, CRLF", atMost: 0.35 }],
  },
  {
    ...plain,
    id: "W11",
    title: "16 connections, 100 values of JSON in flight, parsed and written again",
    kind: "lines",
    connections: 16,
    lines: 100,
    format: "json",
    cost: { name: "CPU µs/value", factor: 1e6 },
    rate: { name: "values/s", factor: 1 },
    contestants: [NDJSON, "node:net, JSON", "node:readline, JSON", "asyncio, JSON", "uvloop, JSON", "C epoll"],
    targets: [{ ours: NDJSON, peer: "node:readline, JSON", atMost: 0.6 }],
  },
  connections("tcp", false),
  connections("unix", false),
  connections("tcp", true),
  connections("unix", true),
  {
    ...plain,
    id: "W13",
    title: "relay between 4 clients and a server, 1 MiB in flight each, both directions",
    kind: "relay",
    connections: 4,
    lines: 16,
    lineBytes: 65_536,
    cost: { name: "CPU µs/64 KiB both ways", factor: 1e6 },
    rate: { name: "64 KiB/s", factor: 1 },
    contestants: [RELAY, "node:net, pipe", "asyncio, relay", "uvloop, relay", "C splice"],
    targets: [{ ours: RELAY, peer: "node:net, pipe", atMost: 1.1 }],
  },
  {
    ...plain,
    id: "W14",
    title: "start a process that imports it, and end",
    kind: "start",
    cost: { name: "CPU ms", factor: 1e3 },
    rate: { name: "starts/s", factor: 1 },
    contestants: [IMPORT, "node:net, import", "node:net and node:tls, import", "asyncio, import", "uvloop, import"],
    // 15 ms beside the 43 that a Node.js with node:net takes on a quiet machine.
    targets: [{ ours: IMPORT, peer: "node:net, import", atMost: 1.35 }],
  },
];
