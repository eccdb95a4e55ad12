/** Sets the variables of socket activation from JSON ("$PID" is its own process id), and tells what `listenFds()` makes of them. */
import { type ListenFd, listenFds } from "asyncio-streams";
import { outcome } from "../support/outcome.js";
import { commands, tell } from "../support/parent.js";

for await (const [, variables] of commands()) {
  for (const [name, value] of Object.entries(variables as Record<string, string>))
    process.env[name] = value.replace("$PID", `${process.pid}`);
  let passed: ListenFd[] | null = null;
  const error = await outcome(async () => {
    passed = listenFds();
  });
  tell({ passed, error, left: Object.keys(process.env).filter((name) => name.startsWith("LISTEN_")), again: listenFds() });
}
