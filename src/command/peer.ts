/** The process or the host at the other end of a connection, for messages and for the environment of a command. */
import type { PeerCredentials, StreamWriter } from "../index.js";
import type { Address } from "./address.js";

/** Environment variables that describe the connection. Those of an outer server are not passed on. */
const VARIABLES = [
  "PROTO",
  "REMOTE_ADDR",
  "REMOTE_PORT",
  "REMOTE_PID",
  "REMOTE_UID",
  "REMOTE_GID",
  "SERVER_ADDR",
  "SERVER_PORT",
  "SERVER_PATH",
];

/**
 * Loads what the credentials of a peer need. Without it, messages do not name the process at the other end of a Unix socket.
 *
 * @returns whether it is loaded
 */
export async function loadCredentials(): Promise<boolean> {
  try {
    const { loadUnix } = await import("../unix/index.js");
    await loadUnix();
    return true;
    /* c8 ignore next 3 -- koffi is not installed, or this is not Linux */
  } catch {
    return false;
  }
}

function credentialsOf(writer: StreamWriter): PeerCredentials | null {
  return writer.getExtraInfo("peercred");
}

function hostAndPort(writer: StreamWriter, name: "peername" | "sockname"): readonly [host: string, port: number] | null {
  const address = writer.getExtraInfo(name);
  return address === null || typeof address === "string" ? null : [address[0], address[1]];
}

/** Returns the peer as a message shows it. */
export function peerOf(writer: StreamWriter): string {
  const remote = hostAndPort(writer, "peername");
  if (remote !== null) return hostAndPortText(...remote);
  const credentials = credentialsOf(writer);
  return credentials === null ? "a process of this machine" : `pid ${credentials.pid ?? "?"}, uid ${credentials.uid}`;
}

/** Returns an address of TCP as a user writes it. */
export function hostAndPortText(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Returns the environment of a command: that of this process, with variables that describe the connection. */
export function environmentOf(address: Address, writer: StreamWriter): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of VARIABLES) delete env[name];
  if (address.kind === "unix") {
    const credentials = credentialsOf(writer);
    Object.assign(env, { PROTO: "UNIX", SERVER_PATH: address.text });
    if (credentials !== null) {
      const { pid, uid, gid } = credentials;
      Object.assign(env, { REMOTE_UID: `${uid}`, REMOTE_GID: `${gid}` }, pid === null ? {} : { REMOTE_PID: `${pid}` });
    }
    return env;
  }
  const [remote, local] = [hostAndPort(writer, "peername"), hostAndPort(writer, "sockname")];
  env["PROTO"] = address.tls ? "TLS" : "TCP";
  if (remote !== null) Object.assign(env, { REMOTE_ADDR: remote[0], REMOTE_PORT: `${remote[1]}` });
  if (local !== null) Object.assign(env, { SERVER_ADDR: local[0], SERVER_PORT: `${local[1]}` });
  return env;
}
