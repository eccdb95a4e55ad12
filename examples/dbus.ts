/**
 * A client of D-Bus: logs in by lines of text, then exchanges binary messages. `dbus-values.ts` encodes their values.
 *
 * Run it: node build/examples/dbus.js [/run/dbus/system_bus_socket]
 * You will see: your name on the bus, the number of names on it, the process that owns the bus, and a refused call.
 */
import { fileURLToPath } from "node:url";
import { openUnixConnection, type SignalOptions, type StreamReader, type StreamWriter } from "asyncio-streams";
import { decode, encode } from "./dbus-values.js";

/** A method of an object. `destination` owns the object; `args` has the types of `signature`. */
export interface Call {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly args?: readonly unknown[];
}

/** The answer to a call is an error, such as `org.freedesktop.DBus.Error.UnknownMethod`. */
export class DBusError extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

const BUS = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
const LITTLE_ENDIAN = 0x6c;
const [CALL, RETURN, ERROR] = [1, 2, 3];
/** The numbers of header fields. */
const [PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SIGNATURE] = [1, 2, 3, 4, 5, 6, 8];
const FIXED_BYTES = 16;
const MAX_MESSAGE_BYTES = 2 ** 27;

interface Message {
  readonly type: number;
  readonly fields: ReadonlyMap<unknown, unknown>;
  readonly body: readonly unknown[];
}

/** A connection to a bus. Send one call at a time; signals that arrive meanwhile are dropped. */
export class DBus implements AsyncDisposable {
  readonly #reader: StreamReader;
  readonly #writer: StreamWriter;
  #lastSerial = 0;
  /** The unique name of this connection, such as `:1.42`. */
  name = "";

  private constructor(reader: StreamReader, writer: StreamWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Connects to the socket of a bus, and logs in as the user of this process. */
  static async connect(path: string): Promise<DBus> {
    const [reader, writer] = await openUnixConnection(path);
    const bus = new DBus(reader, writer);
    try {
      const user = Buffer.from(String(process.getuid?.())).toString("hex");
      writer.write(`\0AUTH EXTERNAL ${user}\r\n`);
      const answer = (await reader.readuntil("\r\n", { keepSeparator: false })).toString();
      if (!answer.startsWith("OK ")) throw new Error(`the bus refuses the login: ${answer}`);
      writer.write("BEGIN\r\n");
      [bus.name] = (await bus.call({ ...BUS, member: "Hello" })) as [string];
      return bus;
    } catch (error) {
      writer.abort();
      throw error;
    }
  }

  /** Calls a method; returns what it returns. */
  async call({ signature = "", args = [], ...target }: Call, options?: SignalOptions): Promise<readonly unknown[]> {
    const serial = ++this.#lastSerial;
    const fields = [
      [PATH, ["o", target.path]],
      [INTERFACE, ["s", target.interface]],
      [MEMBER, ["s", target.member]],
      [DESTINATION, ["s", target.destination]],
      ...(signature === "" ? [] : [[SIGNATURE, ["g", signature]]]),
    ];
    const body = encode(signature, args);
    const header = encode("yyyyuua(yv)", [LITTLE_ENDIAN, CALL, 0, 1, body.length, serial, fields]);
    this.#writer.writelines([header, Buffer.alloc(-header.length & 7), body]);
    await this.#writer.drain(options);
    for (;;) {
      const { type, fields: found, body: result } = await this.#readMessage(options);
      if (found.get(REPLY_SERIAL) !== serial) continue;
      if (type === RETURN) return result;
      if (type === ERROR) throw new DBusError(String(found.get(ERROR_NAME)), String(result[0]));
    }
  }

  async #readMessage(options?: SignalOptions): Promise<Message> {
    const reader = this.#reader;
    const fixed = await reader.peek(FIXED_BYTES, options); // stays in the reader until the message is complete
    const [endian, type, , , bodyLength, , fieldsLength] = decode("yyyyuuu", fixed) as number[];
    const bodyStart = FIXED_BYTES + ((Number(fieldsLength) + 7) & ~7);
    const length = bodyStart + Number(bodyLength);
    if (endian !== LITTLE_ENDIAN || length > MAX_MESSAGE_BYTES) throw new Error("the bus sends a message that this client does not read");
    const message = await reader.readexactly(length, options);
    const list = decode("yyyyuua(yv)", message)[6] as [number, unknown][];
    const fields = new Map<unknown, unknown>(list);
    const signature = (fields.get(SIGNATURE) ?? "") as string;
    return { type: type as number, fields, body: decode(signature, message.subarray(bodyStart)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await using bus = await DBus.connect(process.argv[2] ?? "/run/dbus/system_bus_socket");
  console.log(`this is ${bus.name}`);
  const [names] = (await bus.call({ ...BUS, member: "ListNames" })) as [string[]];
  console.log(`${names.length} names`);
  const args = ["org.freedesktop.DBus"];
  const [pid] = await bus.call({ ...BUS, member: "GetConnectionUnixProcessID", signature: "s", args });
  console.log(`the bus is process ${String(pid)}`);
  await bus.call({ ...BUS, member: "MakeCoffee" }).catch((error: DBusError) => console.log(error.name));
}
