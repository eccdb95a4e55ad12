/** What a soak has done and found, as text. */
import type { Ledger } from "./ledger.js";
import { type Growth, mebibytes, type Sample } from "./memory.js";

export interface Result {
  readonly ledger: Ledger;
  readonly connections: number;
  readonly left: readonly string[];
  readonly grown: readonly Growth[];
  readonly samples: readonly Sample[];
  readonly seconds: number;
}

export function summary({ ledger, connections, left, grown, samples, seconds }: Result): string {
  const number = (count: number): string => count.toLocaleString("en-US");
  const list = (prefix: string): string => [...ledger.counts(prefix)].map(([what, count]) => `${what} ${number(count)}`).join(" · ");
  const seen = samples.map(({ heap }) => mebibytes(heap).replace(" MiB", "")).join(" ");
  return [
    `connections           ${number(connections)} in ${seconds.toFixed(0)} s: ${list("route: ")}`,
    `how they ended        ${list("ending: ")}`,
    `bytes compared        ${number(ledger.bytesChecked)}`,
    `calls given up        ${list("given up: ")}, and made again`,
    `cut off as planned    ${list("cut: ")} · handshakes ${number(ledger.counted("handshakes that failed"))}`,
    `servers replaced      ${number(ledger.counted("restarts"))}; clients at a shutdown: ${list("shutdown: ")}`,
    `longest conversation  ${(ledger.longest.ms / 1_000).toFixed(1)} s: ${ledger.longest.what}`,
    `wrong bytes           ${number(ledger.wrongBytes)}`,
    `unhandled rejections  ${number(ledger.unhandled)}`,
    `other findings        ${number(ledger.findings.length - ledger.unhandled)}`,
    `handles left          ${left.length}`,
    ...grown.map(({ what, before, after, bound }) =>
      `${what} after warm-up`.padEnd(22).concat(`${mebibytes(before)} -> ${mebibytes(after)} (may grow by ${mebibytes(bound)})`),
    ),
    `heap after each round ${seen}`,
  ].join("\n");
}
