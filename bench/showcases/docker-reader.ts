/**
 * Runs a command in a container that prints many bytes, and reads them slowly: `docker-reader.js FORM MEGABYTES`, with DOCKER_HOST and
 * CONTAINER.
 */
import { Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { DockerEngine } from "../../examples/docker-engine.js";
import { measureWork, packageOf } from "./child.js";

const [form = "", megabytes = "0"] = process.argv.slice(2);
const { DOCKER_HOST = "unix:///var/run/docker.sock", CONTAINER = "" } = process.env;
const path = DOCKER_HOST.replace("unix://", "");
const COMMAND = ["sh", "-c", `dd if=/dev/zero bs=1000000 count=${Number(megabytes)} 2>/dev/null`];
/** A pause after so many bytes: some 100 MB in a second. */
const BYTES_IN_A_ROW = 1_000_000;
const PAUSE_MS = 10;

/** Takes output, and pauses. */
function slowReader(): { take: (data: Uint8Array) => Promise<void>; count: () => string } {
  let [total, inARow] = [0, 0];
  return {
    async take(data) {
      total += data.length;
      inARow += data.length;
      if (inARow < BYTES_IN_A_ROW) return;
      inARow = 0;
      await pause(PAUSE_MS);
    },
    count: () => `${total} bytes`,
  };
}

async function ours(): Promise<string> {
  const slow = slowReader();
  await using session = await new DockerEngine(path).exec(CONTAINER, COMMAND);
  session.stdin.writeEof();
  for await (const { data } of session.output) await slow.take(data);
  return slow.count();
}

interface Dockerode {
  getContainer(id: string): { exec(options: object): Promise<{ start(options: object): Promise<NodeJS.ReadWriteStream> }> };
  readonly modem: { demuxStream(stream: NodeJS.ReadWriteStream, stdout: Writable, stderr: Writable): void };
}

async function dockerode(): Promise<string> {
  const Docker = packageOf<new (options: object) => Dockerode>("docker", "dockerode");
  const slow = slowReader();
  const docker = new Docker({ socketPath: path });
  const options = { Cmd: COMMAND, AttachStdin: true, AttachStdout: true, AttachStderr: true };
  const execution = await docker.getContainer(CONTAINER).exec(options);
  const stream = await execution.start({ hijack: true, stdin: true });
  const stdout = new Writable({
    write(data: Buffer, _, callback) {
      slow.take(data).then(() => callback(), callback);
    },
  });
  docker.modem.demuxStream(stream, stdout, new Writable({ write: (_data, _encoding, callback) => callback() }));
  stream.end();
  await new Promise((resolve, reject) => stream.on("end", resolve).on("error", reject));
  await new Promise<void>((resolve) => {
    stdout.end(resolve);
  });
  return slow.count();
}

await measureWork(form === "ours" ? ours : dockerode);
