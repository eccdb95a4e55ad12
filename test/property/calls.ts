/** Calls of a real reader, as the model knows them, and what came of them as text. */

import { IncompleteReadError, LimitOverrunError, LineTooLongError, type SignalOptions, type StreamReader } from "asyncio-streams";
import * as fc from "fast-check";
import type { Call } from "./reader-model.js";

/** Any call, with the separators that are likely to be in the data. */
export const anyCall: fc.Arbitrary<Call> = fc.oneof(
  fc.record({ name: fc.constant("read" as const), n: fc.constantFrom(-1, 0, 1, 2, 7, 3000) }),
  fc.record({ name: fc.constant("readexactly" as const), n: fc.constantFrom(0, 1, 2, 5, 1500) }),
  fc.record({
    name: fc.constant("readuntil" as const),
    separators: fc.constantFrom(["\n"], ["END"], [";", "END"], ["EN", "END"], ["D", "END"], ["\n", ";\n", "a"], [";;;;"]),
  }),
  fc.constant({ name: "readline" as const }),
);

/** Any text of those letters: short, or behind a fill that makes it a chunk of its own in the reader. */
export const anyText: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom("", "", "", "-".repeat(1100)),
    fc.string({ unit: fc.constantFrom("a", "\n", ";", "E", "N", "D"), minLength: 1, maxLength: 12 }),
  )
  .map(([fill, text]) => fill + text);

/** Makes the call, and shows what came of it as the model does. */
export function perform(reader: StreamReader, call: Call, options?: SignalOptions): Promise<string> {
  return start(reader, call, options).then((bytes) => JSON.stringify(bytes.toString("latin1")), show);
}

function start(reader: StreamReader, call: Call, options?: SignalOptions): Promise<Buffer> {
  if (call.name === "readline") return reader.readline(options);
  if (call.name === "readuntil") return reader.readuntil(call.separators.length === 1 ? call.separators[0] : call.separators, options);
  return reader[call.name](call.n, options);
}

function show(error: unknown): string {
  if (error instanceof IncompleteReadError) {
    return `IncompleteReadError ${JSON.stringify(error.partial.toString("latin1"))} of ${error.expected}`;
  }
  if (error instanceof LimitOverrunError || error instanceof LineTooLongError) return `${error.name} ${error.consumed}`;
  const { name, message } = error as Error;
  return name === "Error" ? `Error ${message}` : name;
}
