/**
 * A small `docker`: lists containers, prints logs, runs commands in containers and attaches to them, through the engine's Unix socket.
 *
 * Run it: node build/examples/docker.js ps | logs ID | follow ID | exec ID COMMAND ... | attach ID (with DOCKER_HOST=unix:///path)
 * You will see: what the container prints, on stdout and stderr; what you type is the command's input, and its exit status becomes yours.
 */
import { copy } from "asyncio-streams";
import { connectReadPipe, connectWritePipe } from "asyncio-streams/process";
import { DockerEngine, type Output, type Session } from "./docker-engine.js";

const [command, id = "", ...rest] = process.argv.slice(2);
const { DOCKER_HOST = "unix:///var/run/docker.sock" } = process.env;
const engine = new DockerEngine(DOCKER_HOST.replace("unix://", ""));

/** Prints no faster than the reader of our output takes it. */
async function print(output: AsyncGenerator<Output>): Promise<void> {
  const writers = { stdout: connectWritePipe(process.stdout), stderr: connectWritePipe(process.stderr) };
  for await (const { source, data } of output) {
    writers[source].write(data);
    await writers[source].drain();
  }
  for (const writer of Object.values(writers)) writer.close();
}

/** Connects our standard streams to a command until its output ends. */
async function run(session: Session): Promise<void> {
  await using _ = session;
  const input = connectReadPipe(process.stdin);
  const over = new AbortController();
  const feeding = copy(input, session.stdin, { signal: over.signal }).then(() => session.stdin.writeEof());
  feeding.catch(() => {}); // the command has ended, or reads no more: its output and status say more
  await print(session.output);
  over.abort();
  await input.cancel();
  process.exitCode = await session.wait();
}

if (command === "ps") {
  for (const { Id, Image, State, Names } of await engine.containers()) console.log(Id.slice(0, 12), Image, State, Names.join());
} else if (command === "logs" || command === "follow") await print(engine.logs(id, { follow: command === "follow" }));
else if (command === "exec") await run(await engine.exec(id, rest));
else if (command === "attach") await run(await engine.attach(id));
else console.error("usage: docker.js ps | logs ID | follow ID | exec ID COMMAND ... | attach ID");
