/**
 * Descriptors beside the bytes, on the route that carries them: files with numbers, which arrive in order and each of them once, whatever
 * becomes of the reads and the protocol meanwhile. handles.ts counts those that are left open.
 */
import { closeSync, mkdtempSync, openSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { FdStreamReader, FdStreamWriter, getPeerCredentials, loadUnix } from "asyncio-streams/unix";
import type { Random } from "../test/support/random.js";
import { countCruelty, type End, isGivenUp, randomOptions } from "./end.js";
import { GIVEN } from "./handles.js";

const FILES = 16;
const MOST_AT_A_TIME = 8;

const directory = mkdtempSync(join(tmpdir(), "soak-fds-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));

/** Whether this machine can pass descriptors. */
export const canPassDescriptors: boolean = await loadUnix().then(
  () => true,
  (error: unknown) => {
    console.log(`without the route that carries descriptors: ${String(error)}`);
    return false;
  },
);

function nameOf(number: number): string {
  return `${GIVEN}${number % FILES}`;
}

export function carriesDescriptors({ writer }: End): boolean {
  return writer instanceof FdStreamWriter;
}

/** Sends a piece with some files. A call that is given up sends them all the same. */
export async function sendWithDescriptors(end: End, piece: Buffer, random: Random): Promise<void> {
  const { conversation, side } = end;
  const count = random.int(1, MOST_AT_A_TIME);
  const files = Array.from({ length: count }, (_, index) => openSync(join(directory, nameOf(conversation.sent[side] + index)), "a"));
  conversation.sent[side] += count;
  countCruelty(end, "sent with descriptors");
  const sent = (end.writer as FdStreamWriter).sendFds(piece, files, randomOptions(random));
  for (const file of files) closeSync(file);
  try {
    await sent;
  } catch (error) {
    if (!isGivenUp(error)) throw error;
    end.ledger.count("given up: sendFds");
  }
}

/** Takes files that have arrived: some of them, or at the end of a conversation all. */
export function takeDescriptors(end: End, mostFds?: number): void {
  const { reader, conversation, side, ledger } = end;
  if (!(reader instanceof FdStreamReader)) return;
  const sender = side === "client" ? "server" : "client";
  for (const descriptor of reader.takeFds(mostFds)) {
    const file = basename(readlinkSync(`/proc/self/fd/${descriptor.fd}`));
    const expected = nameOf(conversation.taken[side]);
    if (file !== expected) ledger.report(`the descriptor of ${file} has come instead of ${expected} from the ${sender}`, conversation);
    conversation.taken[side] += 1;
    descriptor.close();
    if (!descriptor.closed) ledger.report("a closed descriptor is open", conversation);
  }
}

/** Takes what is left, and compares the kernel's record of the other end, which is this process. */
export function endDescriptors(end: End): void {
  if (!carriesDescriptors(end)) return;
  takeDescriptors(end);
  end.conversation.finished.add(end.side);
  const { pid, uid } = getPeerCredentials(end.writer);
  if (pid !== process.pid || uid !== process.geteuid?.()) end.ledger.report(`the peer is process ${pid} of user ${uid}`, end.conversation);
}
