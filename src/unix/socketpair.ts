/** `openSocketpair()`: two connected Unix sockets without a name. Python's `socket.socketpair()`. */
import { Descriptor } from "./descriptor.js";
import { errnoError } from "./errors.js";
import { systemFor } from "./system.js";

/**
 * Creates two Unix stream sockets that are connected to each other, and have no name that another process could use. Python's
 * `socket.socketpair()`.
 *
 * Pass one of them to a child process (`stdio: ["inherit", "inherit", "inherit", descriptor.fd]`), and use the other one as `sock`. Close
 * the child's one in this process when the child has started. Otherwise this process would not see the end of the child's side.
 *
 * @returns both sockets; the caller has to close them
 * @throws InvalidStateError if `loadUnix()` was not called; the system's error, such as `EMFILE`
 *
 * @example
 * ```ts
 * const [ours, theirs] = openSocketpair();
 * spawn("worker", { stdio: ["inherit", "inherit", "inherit", theirs.fd] });
 * theirs.close();
 * const [receiver, sender] = await openFdConnection(null, { sock: ours });
 * ```
 */
export function openSocketpair(): [Descriptor, Descriptor] {
  const pair = systemFor("openSocketpair").socketpair();
  if (typeof pair === "number") throw errnoError(pair, "socketpair");
  return [new Descriptor(pair[0]), new Descriptor(pair[1])];
}
