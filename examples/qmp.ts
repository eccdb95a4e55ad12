/**
 * A client of QMP, the protocol that controls QEMU: JSON on each line, with events between the answers.
 *
 * Run it: qemu-storage-daemon --chardev socket,id=qmp,path=/tmp/qmp.sock,server=on,wait=off --monitor qmp &
 *   node build/examples/qmp.js /tmp/qmp.sock   (or with a machine: qemu-system-x86_64 -qmp unix:/tmp/qmp.sock,server=on,wait=off)
 * You will see: the version of QEMU, how many commands it knows, the events of a job that creates a disk image, and a refused command.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openUnixConnection, type SignalOptions } from "asyncio-streams";
import { Framed, ndjson } from "asyncio-streams/framing";

/** An event, with its data and time. */
export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly timestamp: { readonly seconds: number; readonly microseconds: number };
}

/** A message from QEMU. */
interface Message extends Partial<QmpEvent> {
  readonly QMP?: { readonly version: { readonly qemu: Readonly<Record<"major" | "minor" | "micro", number>> } };
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

/** Thrown when QEMU refuses a command. */
export class QmpError extends Error {}

/** A connection. Send one command at a time; events that arrive meanwhile are kept for `nextEvent()`. */
export class Qmp {
  readonly #connection: Framed<Message, object>;
  readonly #events: QmpEvent[] = [];
  #commands = 0;
  /** The version of QEMU, such as `7.2.22`. */
  version = "";

  private constructor(connection: Framed<Message, object>) {
    this.#connection = connection;
  }

  /** Connects, reads the greeting and negotiates capabilities. */
  static async connect(path: string): Promise<Qmp> {
    const qmp = new Qmp(new Framed(...(await openUnixConnection(path)), ndjson<Message>()));
    const { major, minor, micro } = (await qmp.#readMessage()).QMP?.version.qemu ?? {};
    qmp.version = `${major}.${minor}.${micro}`;
    await qmp.execute("qmp_capabilities");
    return qmp;
  }

  /** Sends a command; returns its result. */
  async execute<T = unknown>(command: string, parameters: object = {}): Promise<T> {
    const id = ++this.#commands;
    this.#connection.writeFrame({ execute: command, arguments: parameters, id });
    await this.#connection.drain();
    for (;;) {
      const message = await this.#readMessage();
      if (message.event !== undefined) this.#events.push(message as QmpEvent);
      else if (message.error !== undefined) throw new QmpError(message.error.desc);
      else if (message.id === id) return message.return as T;
    }
  }

  /** Waits for the next event. Do not call it while a command is in progress. */
  async nextEvent(options?: SignalOptions): Promise<QmpEvent> {
    return this.#events.shift() ?? ((await this.#readMessage(options)) as QmpEvent);
  }

  async close(): Promise<void> {
    this.#connection.writer.close();
    await this.#connection.writer.waitClosed();
  }

  async #readMessage(options?: SignalOptions): Promise<Message> {
    const message = await this.#connection.readFrame(options);
    if (message === null) throw new Error("QEMU has ended the connection");
    return message;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const qmp = await Qmp.connect(process.argv[2] ?? "/tmp/qmp.sock");
  const commands = await qmp.execute<unknown[]>("query-commands");
  console.log(`QEMU ${qmp.version} answers, and knows ${commands.length} commands`);

  const directory = mkdtempSync(join(tmpdir(), "qmp-"));
  const options = { driver: "file", filename: join(directory, "disk.img"), size: 1_048_576 };
  await qmp.execute("blockdev-create", { "job-id": "make-disk", options });
  for (let status: unknown; status !== "concluded"; ) {
    const { event, data } = await qmp.nextEvent({ signal: AbortSignal.timeout(10_000) });
    if (event === "JOB_STATUS_CHANGE") status = data["status"];
    console.log(`${event}: ${JSON.stringify(data)}`);
  }
  await qmp.execute("job-dismiss", { id: "make-disk" });
  rmSync(directory, { recursive: true });

  await qmp.execute("make-coffee").catch((error: Error) => console.log(error.message));
  await qmp.close();
}
