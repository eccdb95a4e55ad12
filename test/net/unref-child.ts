/**
 * Serves a connection to itself and lets the process end although all of it is open, but for one part:
 * `node unref-child.js KIND (nothing | server | client | accepted | again)`. "again": all of it is held once more. Tells "alive" if it has not ended after a while.
 */
import { rmSync } from "node:fs";
import type { StreamWriter } from "asyncio-streams";
import { tell } from "../support/parent.js";
import { temporaryDirectories } from "../support/temporary.js";
import { unrefKinds } from "./unref-kinds.js";

const PATIENCE_MS = 100;
const [, , name = "", held = ""] = process.argv;

process.once("exit", () => {
  for (const directory of temporaryDirectories()) rmSync(directory, { recursive: true, force: true });
});

const kind = unrefKinds.find((one) => one.name === name);
if (kind === undefined) throw new Error(`there is no kind ${name}`);
let onAccepted!: (writer: StreamWriter) => void;
const accepting = new Promise<StreamWriter>((resolve) => {
  onAccepted = resolve;
});
const { server, connect } = await kind.serve((reader, writer) => {
  writer.write("hello\n");
  onAccepted(writer);
  void reader.read();
});
const [reader, client] = await connect();
await reader.readline();
void reader.readline();
const accepted = await accepting;
await accepted.flush();
for (const [part, one] of Object.entries({ server, client, accepted })) {
  if (part !== held) one.unref();
  if (held === "again") one.ref();
}
setTimeout(() => tell("alive"), PATIENCE_MS).unref();
