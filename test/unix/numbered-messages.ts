/** The messages of `descriptors_peer.py`: bytes with files that have numbers in them; and what descriptors are. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Descriptor, FdStreamReader, FdStreamWriter } from "asyncio-streams/unix";
import { Random } from "../support/random.js";
import { temporaryDirectory } from "../support/temporary.js";

/** The size that ends the messages. */
const END = 0xff_ff_ff_ff;

/** The numbers of the open descriptors of this process. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** The contents of a received file. Deno: `node:fs` does not take descriptors that Deno has not opened. */
export function contentsOf(descriptor: Descriptor): string {
  return readFileSync(`/proc/self/fd/${descriptor.fd}`, "utf8");
}

/** What a descriptor refers to. */
export function targetOf(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`);
}

/** In memory, where the system has such a directory: the files are many, and open only for a moment. */
const directory = existsSync("/dev/shm") ? mkdtempSync("/dev/shm/as-") : temporaryDirectory();
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));

/** Calls a function with the descriptor of a file that has a text in it; the file has no name. Deno: `openSync()` returns a real descriptor. */
export function withFile<T>(text: string, call: (fd: number) => T): T {
  const path = join(directory, `file-${text}`);
  const fd = openSync(path, "w+");
  try {
    writeSync(fd, text);
    rmSync(path);
    return call(fd);
  } finally {
    closeSync(fd);
  }
}

/** Sends messages, and the end. Returns the number of files. */
export async function sendNumbered(writer: FdStreamWriter, seed: number, count: number): Promise<number> {
  const random = new Random(seed);
  const hash = createHash("sha256");
  let files = 0;
  for (let message = 0; message < count; message += 1) {
    const size = random.pick([0, 1, 10, 100, 5_000, 70_000, 300_000]);
    const wanted = random.pick([0, 0, 1, 2, 5, 100]);
    const data = Buffer.concat([header(size, wanted), randomBytes(size)]);
    hash.update(data);
    const fds = Array.from({ length: wanted }, (_, index) => openNumbered(files + index));
    files += wanted;
    if (wanted === 0) writer.write(data);
    else void writer.sendFds(data, fds);
    for (const fd of fds) closeSync(fd); // at once: the call has duplicated them
    await writer.drain();
  }
  writer.write(Buffer.concat([header(END, files), hash.digest()]));
  writer.writeEof();
  return files;
}

function openNumbered(number: number): number {
  const path = join(directory, `numbered-${number}`);
  const fd = openSync(path, "w+");
  writeSync(fd, String(number));
  rmSync(path);
  return fd;
}

function header(size: number, files: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(size, 0);
  bytes.writeUInt32LE(files, 4);
  return bytes;
}

/** Receives messages until their end, and checks the number in each file. Returns the number of files. */
export async function receiveNumbered(reader: FdStreamReader): Promise<number> {
  const hash = createHash("sha256");
  let files = 0;
  for (;;) {
    const head = await reader.readexactly(8);
    const [size, wanted] = [head.readUInt32LE(0), head.readUInt32LE(4)];
    if (size === END) {
      assert.equal((await reader.readexactly(32)).toString("hex"), hash.digest("hex"));
      assert.equal(files, wanted);
      assert.equal(reader.bufferedFds, 0);
      return files;
    }
    // All files of a message have arrived with its first byte.
    const descriptors = reader.takeFds(wanted);
    assert.equal(descriptors.length, wanted);
    for (const descriptor of descriptors) {
      assert.equal(contentsOf(descriptor), String(files));
      descriptor.close();
      files += 1;
    }
    hash.update(head).update(await reader.readexactly(size));
  }
}
