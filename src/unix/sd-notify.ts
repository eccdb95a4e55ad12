/** `sdNotify()`: reports the state of a service to systemd, and stores descriptors with it. C's `sd_pid_notify_with_fds()`. */
import { type Data, invalidType, outOfRange, type SignalOptions, toBytes } from "../base/arguments.js";
import { type KnownOptions, knownOptions } from "../base/known-options.js";
import { delay } from "../base/scheduling.js";
import { cancellationOf, checkWaitOptions, withOneDeadline } from "../base/waiting.js";
import { untilAborted } from "../net/resolve.js";
import { errnoError } from "./errors.js";
import { checkFds, type HasFd } from "./fd-streams.js";
import { EAGAIN, type System, sockaddrOf, systemFor } from "./system.js";

/** The longest message that systemd accepts: `NOTIFY_BUFFER_MAX`. */
const MAX_BYTES = 4_096;

/** How long to wait before a message is sent again if the queue of systemd is full, in milliseconds. */
const RETRY_MS = 10;

/** Options of `sdNotify()`. */
export interface SdNotifyOptions extends SignalOptions {
  /** Descriptors to send with the message, for `FDSTORE=1`: numbers, or objects with an `fd`; at most 253. */
  readonly fds?: Iterable<number | HasFd> | undefined;
}

const OPTIONS: KnownOptions = knownOptions<SdNotifyOptions>({ fds: true, signal: true, timeout: true });

/**
 * Sends a message to systemd, if it has started this process as a service with `Type=notify` or `NotifyAccess=`. C's `sd_notify()`.
 *
 * The message consists of lines such as `READY=1`, `STOPPING=1`, `RELOADING=1`, `STATUS=text` and `WATCHDOG=1`. `FDSTORE=1` with `fds`
 * stores the descriptors: after a restart of the service, `listenFds()` returns them, with the name given as `FDNAME=name`.
 *
 * **If aborted** while the queue of systemd is full, nothing is sent.
 *
 * @param state the lines, separated by newlines; at most 4,096 bytes
 * @param options `fds`; `signal` and `timeout` end the wait
 * @returns whether there was a service manager to notify: false if the environment variable `NOTIFY_SOCKET` is not set
 * @throws TypeError or RangeError for a wrong argument, or a `NOTIFY_SOCKET` that is not a Unix socket; InvalidStateError if `loadUnix()`
 *   was not called; the system's error
 *
 * @example
 * ```ts
 * await sdNotify("READY=1\nSTATUS=serving");
 * await sdNotify("FDSTORE=1\nFDNAME=clients", { fds: [file] });
 * ```
 */
export async function sdNotify(state: Data, options?: SdNotifyOptions): Promise<boolean> {
  const system = systemFor("sdNotify");
  checkWaitOptions("sdNotify", options, OPTIONS);
  const bytes = toBytes("state", state);
  if (bytes.length === 0 || bytes.length > MAX_BYTES) throw outOfRange("the length of state", `1 to ${MAX_BYTES} bytes`, bytes.length);
  const fds = options?.fds === undefined ? null : checkFds(options.fds);
  const path = process.env["NOTIFY_SOCKET"];
  if (path === undefined || path === "") return false;
  if (!/^[/@]/.test(path)) throw invalidType("NOTIFY_SOCKET", "an absolute path, or an abstract name that begins with @", path);
  const address = sockaddrOf({ file: path.replace(/^@/, "\0"), abstract: path.startsWith("@") });
  await withOneDeadline(cancellationOf(options), (signal) => sendDatagram(system, address, bytes, fds, signal));
  return true;
}

async function sendDatagram(
  system: System,
  address: Uint8Array,
  bytes: Uint8Array,
  fds: readonly number[] | null,
  signal: AbortSignal | undefined,
): Promise<void> {
  const socket = system.datagramSocket();
  if (socket < 0) throw errnoError(socket, "socket");
  try {
    const connected = system.connect(socket, address);
    if (connected < 0) throw errnoError(connected, "connect", "to NOTIFY_SOCKET");
    for (;;) {
      const sent = system.send(socket, bytes, fds);
      if (sent >= 0) return;
      if (sent !== EAGAIN) throw errnoError(sent, "sendmsg", "to NOTIFY_SOCKET");
      await untilAborted(delay(RETRY_MS), signal);
    }
  } finally {
    system.close(socket);
  }
}

/**
 * Returns the time within which the service must send `WATCHDOG=1` again and again, or systemd restarts it (`WatchdogSec=`). Send it at
 * half of this time. C's `sd_watchdog_enabled()`. Does not need `loadUnix()`.
 *
 * @returns milliseconds; `null` if systemd expects nothing of this process
 *
 * @example
 * ```ts
 * const watchdogMs = sdWatchdogMs();
 * if (watchdogMs !== null) setInterval(() => void sdNotify("WATCHDOG=1"), watchdogMs / 2);
 * ```
 */
export function sdWatchdogMs(): number | null {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: pid } = process.env;
  if (!/^[1-9]\d{0,17}$/.test(microseconds)) return null;
  return pid === undefined || pid === String(process.pid) ? Number(microseconds) / 1_000 : null;
}
