/**
 * Where our reader, writer and protocol differ from CPython's on purpose: steps of recorded cases, and the line of the design that allows it.
 *
 * Two rules are not listed, since they hold in every case: the table of errors (`transcript.ts`), by which `readline()` over the limit throws
 * `LineTooLongError` with a `consumed` that CPython's ValueError does not have; and that a waiting read keeps the transport going (`record.py`).
 */
import type { Outcome } from "./transcript.js";

/** A case that ends differently here. */
export interface Divergence {
  /** The case's name. */
  readonly name: string;
  /** The line of the design that allows it. */
  readonly row: string;
  /** What steps give here, by their index. `null`: nothing. */
  readonly gives?: Readonly<Record<number, Outcome | null>>;
  /** What the transport is told in steps, by their index. */
  readonly transport?: Readonly<Record<number, readonly string[]>>;
  /** What remains in the buffer at the end. */
  readonly remains?: string;
  /** Whether the transport is paused at the end. */
  readonly paused?: boolean;
}

const BUFFERED_FIRST = "data that arrived before a reset cannot be read | buffered data is delivered first, then the error";
const ABORT_LOSES_NOTHING = "cancelled read(-1) loses its bytes | an aborted read consumes nothing: every byte is there for the next one";
const DRAIN_TELLS = "writes after the connection is lost vanish | the next drain throws, with the socket's error as cause";
const ACTS_AT_ONCE = "Reader: setException makes every later read throw at once";
const PAUSED_BY_LIMIT = "Reader: the transport is paused when more than 2 x limit bytes are buffered and resumed at <= limit";
const REFUSED_WHILE_TO_EOF =
  "Known traps: while read(-1) waits, a second waiting read is refused even if bytes are held back for abort-safety";
const ONE_READ = "Reader: one read at a time waits, and is served before those that come after it";

const THROUGH_SEPARATOR = "Reader: readuntil returns through the separator";

const lost: Outcome = { error: "ConnectionLostError", code: "ECONNRESET" };
const lostBecause: Outcome = { ...lost, cause: { error: "Given", message: "lost" } };

export const DIVERGENCES: readonly Divergence[] = [
  // CPython never looks again: the read waits for ever.
  { name: "data that does not complete a read before the exception of the same turn", row: ACTS_AT_ONCE, gives: { 3: { value: true } } },
  { name: "read(-1) cancelled after it has gathered data", row: ABORT_LOSES_NOTHING, gives: { 7: { bytes: "abc" } } },
  // CPython: a waiting read(-1) has its bytes outside the buffer already.
  { name: "atEof before a waiting read(-1) has seen the EOF", row: ABORT_LOSES_NOTHING, gives: { 4: { value: false } } },
  {
    name: "a second read before a waiting read(-1) has seen its data",
    row: REFUSED_WHILE_TO_EOF,
    gives: { 2: { error: "ConcurrentReadError", code: "ERR_CONCURRENT_READ" }, 4: { bytes: "abc" } },
  },
  // CPython: the second read takes the beginning of the first one's line.
  {
    name: "a second read before a waiting readline has seen its data",
    row: ONE_READ,
    gives: { 2: { bytes: "c" }, 3: { bytes: "ab\n" }, 4: { bytes: "d" } },
  },
  // CPython: the waiting search looks behind a separator that has moved to the front.
  {
    name: "a read during a waiting readuntil moves the data under its search",
    row: THROUGH_SEPARATOR,
    gives: { 5: { value: true }, 7: { bytes: "c;" } },
    remains: "xy;",
  },
  {
    name: "a read during a waiting readline that empties the buffer",
    row: THROUGH_SEPARATOR,
    gives: { 5: { value: true }, 7: { bytes: "d\n" } },
    remains: "ef\n",
  },
  // CPython leaves the transport paused, with an empty buffer or a full one, until something else happens.
  {
    name: "a read that fails at EOF with a paused transport",
    row: PAUSED_BY_LIMIT,
    transport: { 2: ["resumeReading"] },
    paused: false,
  },
  {
    name: "a cancelled read that had more than twice the limit",
    row: PAUSED_BY_LIMIT,
    transport: { 2: ["pauseReading"] },
    paused: true,
  },
  {
    name: "a lost connection with buffered data",
    row: BUFFERED_FIRST,
    gives: { 2: { bytes: "ab\n" }, 3: { error: "Given", message: "lost" } },
  },
  { name: "a read of nothing from a lost connection", row: BUFFERED_FIRST, gives: { 1: { bytes: "" } } },
  { name: "an end before the connection is lost", row: BUFFERED_FIRST, gives: { 2: { bytes: "" } } },
  { name: "a connection that is lost after an exception", row: ACTS_AT_ONCE, gives: { 2: { value: "e" } } },
  // CPython: the refused read has taken "abc", and loses it.
  {
    name: "a read(-1) that is refused while readexactly waits",
    row: ONE_READ,
    gives: { 5: { bytes: "abcde" } },
    remains: "fgh",
  },
  { name: "drain after the connection was lost", row: DRAIN_TELLS, gives: { 2: lostBecause } },
  { name: "drain while the connection ends", row: DRAIN_TELLS, gives: { 3: lost } },
  { name: "drain while the connection is lost", row: DRAIN_TELLS, gives: { 3: lostBecause } },
];

/** A case over sockets that goes differently here. */
export interface SocketDivergence {
  /** The case's name. */
  readonly name: string;
  /** The line of the design that allows it. */
  readonly row: string;
  /** What steps give here, by their index. `null`: nothing. */
  readonly gives: Readonly<Record<number, Outcome | null>>;
}

const FOREVER_ENDS = "Server: serveForever ends by its signal or close()";
const BOUNDED_END = "async with server hangs on an idle client | every end of a server takes bounded time";
const LIVE_SERVER = "create_unix_server deletes a socket file that a live server listens on | a live one gives EADDRINUSE";
/** No line of the design: Node cannot bind a TCP socket without listening on it, so the port 0 is still to be chosen. */
const BOUND_WHEN_SERVING = "a limit of Node: a server that does not serve yet has no port of its own";

/** asyncio's documentation: resume_writing() is called when the buffer drains below the low-water mark. CPython looks only after it has sent something. */
const MARKS_COUNT_AT_ONCE = "changed only where asyncio's documentation promises nothing and its users suffer";

export const SOCKET_DIVERGENCES: readonly SocketDivergence[] = [
  {
    name: "tcp: the address of a server's socket before it serves",
    row: BOUND_WHEN_SERVING,
    gives: { 1: { value: ["127.0.0.1", 0] } },
  },
  { name: "unix: serveForever and close", row: FOREVER_ENDS, gives: { 4: null } },
  { name: "tcp: serveForever and close", row: FOREVER_ENDS, gives: { 4: null } },
  { name: "unix: serveForever cancelled while there is a client", row: BOUNDED_END, gives: { 5: { value: false } } },
  { name: "tcp: serveForever cancelled while there is a client", row: BOUNDED_END, gives: { 5: { value: false } } },
  { name: "unix: a second server at the address of the first", row: LIVE_SERVER, gives: { 1: { error: "OSError", code: "EADDRINUSE" } } },
  { name: "unix: drain waits, and we abort", row: DRAIN_TELLS, gives: { 7: { error: "connection gone" } } },
  { name: "tcp: drain waits, and we abort", row: DRAIN_TELLS, gives: { 7: { error: "connection gone" } } },
  { name: "unix: raising the marks above what is buffered leaves drain waiting", row: MARKS_COUNT_AT_ONCE, gives: { 7: { value: false } } },
  { name: "tcp: raising the marks above what is buffered leaves drain waiting", row: MARKS_COUNT_AT_ONCE, gives: { 7: { value: false } } },
];
