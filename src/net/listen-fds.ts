/** `listenFds()`: sockets that a service manager opened for this process. systemd's socket activation, `sd_listen_fds(3)`. */
import { invalidValue, MAX_INT } from "../base/arguments.js";

/** The first passed descriptor, after the standard streams. systemd: `SD_LISTEN_FDS_START`. */
const LISTEN_FDS_START = 3;

/** The maximum number of open files of a process on Linux (the default of `fs.nr_open`). */
const MAX_FDS = 2 ** 20;

/** A socket that was passed to this process. */
export interface ListenFd {
  /** Its descriptor, to pass as `sock` to `startUnixServer()` or `startServer()`. */
  readonly fd: number;
  /**
   * Its name, from `FileDescriptorName=` in the socket unit, where systemd's default is the unit's name. `"unknown"` if no name was
   * passed, as in `sd_listen_fds_with_names()`.
   */
  readonly name: string;
}

/**
 * Returns the listening sockets that the service manager passed to this process, in order; none if the process was started in another
 * way. No counterpart in Python.
 *
 * Reads `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`, and unsets them (and systemd's newer `LISTEN_PIDFDID`), so that child
 * processes do not claim the sockets. A second call therefore returns none. Sockets for another process (`LISTEN_PID`) are ignored.
 *
 * @returns the descriptors and names
 * @throws TypeError `ERR_INVALID_ARG_VALUE` if the variables do not follow the protocol
 *
 * @example
 * ```ts
 * const [activated] = listenFds();
 * const server = activated
 *   ? await startUnixServer(serveClient, null, { sock: activated.fd })
 *   : await startUnixServer(serveClient, "/run/app/app.sock", { mode: 0o660 });
 * ```
 */
export function listenFds(): ListenFd[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = process.env;
  for (const name of ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete process.env[name];
  if (pid === undefined || count === undefined) return [];
  if (parse("LISTEN_PID", pid, MAX_INT) !== process.pid) return [];
  const given = names === undefined ? [] : names.split(":");
  return Array.from({ length: parse("LISTEN_FDS", count, MAX_FDS) }, (_, index) => ({
    fd: LISTEN_FDS_START + index,
    name: given[index] || "unknown",
  }));
}

function parse(name: string, text: string, max: number): number {
  if (!/^\d+$/.test(text) || Number(text) > max)
    throw invalidValue(`the environment variable ${name} must be an integer from 0 to ${max}, not ${JSON.stringify(text)}`);
  return Number(text);
}
