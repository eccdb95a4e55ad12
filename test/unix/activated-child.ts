/**
 * Serves on the sockets that it was passed by socket activation: TCP if its name begins with "tcp", Unix otherwise, with the options given as JSON. Answers with
 * its name for the socket, until it is told to close.
 */
import { listenFds, startServer } from "asyncio-streams";
import { commands, tell } from "../support/parent.js";
import { answerAs, end, serve } from "./answering.js";

const options = JSON.parse(process.argv[2] ?? "{}") as object;
const passed = listenFds();
const variables = Object.keys(process.env).filter((name) => name.startsWith("LISTEN_"));
const servers = await Promise.all(
  passed.map(({ fd, name }) =>
    name.startsWith("tcp")
      ? startServer(answerAs(name), null, null, { ...options, sock: fd })
      : serve(name, null, { ...options, sock: fd }),
  ),
);
tell({ passed, variables, again: listenFds(), names: servers.map((server) => server.sockets[0]!.getsockname()) });
for await (const _close of commands()) break;
await Promise.all(servers.map(end));
tell("closed");
process.exit();
