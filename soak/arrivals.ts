/** What a reading call brought: the bytes, or the error. */
import type { IncompleteReadError } from "asyncio-streams";
import type { Random } from "../test/support/random.js";
import { type End, isGivenUp } from "./end.js";
import { giveAway } from "./giving.js";
import { Cut } from "./ledger.js";

/** Looks at what a call has returned, and does with it what programs do. Returns what is to come after it. */
export async function accept(end: End, bytes: Buffer, expected: Buffer, random: Random): Promise<Buffer> {
  const { ledger, conversation, reader } = end;
  if (bytes.length === 0) {
    if (!reader.atEof()) ledger.report("a read returned nothing, and the stream has not ended", conversation);
    throw new Cut(`the end came ${expected.length} bytes too early`);
  }
  const rest = expected.subarray(bytes.length);
  ledger.check(bytes, expected, conversation);
  if (end.gives === "chunks" && !end.without.has("chunks") && random.chance(0.2)) await giveAway(end, bytes, random);
  else end.retained.offer(bytes, end.owner);
  return rest;
}

/** A call that failed: throws its error, unless the call was given up. */
export function afterFailedRead({ ledger, conversation }: End, error: unknown, expected: Buffer): void {
  const { code, partial } = error as IncompleteReadError;
  if (code === "ERR_INCOMPLETE_READ") ledger.check(partial, expected, conversation);
  if (!isGivenUp(error)) throw error;
  ledger.count("given up: read");
}
