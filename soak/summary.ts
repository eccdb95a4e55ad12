/** What a soak has done and found, as text. */

import { runtime } from "../test/support/runtime.js";
import { ENDS } from "./ends.js";
import { WAYS_TO_GIVE } from "./giving.js";
import type { Ledger } from "./ledger.js";
import { type Growth, mebibytes, type Sample } from "./memory.js";
import type { Retained } from "./retained.js";

/** What has to have happened in a run that is long enough. */
const CRUELTIES: readonly string[] = [
  "long read given up",
  "setProtocol()",
  "setProtocol() in a long read",
  "wiped after flush()",
  "given away after write()",
  "shrunk after write()",
  "reset behind data",
  "left while written to",
  ...(runtime === "node" ? ENDS.map((end) => `last words: ${end}`) : []),
];

export interface Result {
  readonly ledger: Ledger;
  readonly retained: Retained;
  readonly connections: number;
  readonly left: readonly string[];
  readonly grown: readonly Growth[];
  readonly samples: readonly Sample[];
  readonly seconds: number;
}

export function summary({ ledger, retained, connections, left, grown, samples, seconds }: Result): string {
  const number = (count: number): string => count.toLocaleString("en-US");
  const list = (prefix: string): string => [...ledger.counts(prefix)].map(([what, count]) => `${what} ${number(count)}`).join(" · ");
  const seen = samples.map(({ heap }) => mebibytes(heap).replace(" MiB", "")).join(" ");
  return [
    `connections           ${number(connections)} in ${seconds.toFixed(0)} s: ${list("route: ")}`,
    `how they ended        ${list("ending: ")}`,
    `bytes compared        ${number(ledger.bytesChecked)}`,
    `calls given up        ${list("given up: ")}, and made again`,
    `cut off as planned    ${list("cut: ")} · handshakes ${number(ledger.counted("handshakes that failed"))}`,
    `descriptors           ${number(ledger.counted("descriptors: taken"))} taken`,
    `servers replaced      ${number(ledger.counted("restarts"))}; clients at a shutdown: ${list("shutdown: ")}`,
    `slices kept           ${number(retained.count)}, in ${mebibytes(retained.bytesHeld)}; verified ${number(retained.verified)} times`,
    ...(ledger.counted("collections") > 0 ? [`garbage collected     ${number(ledger.counted("collections"))} times`] : []),
    "cruelties             how often, and where",
    ...cruelties(ledger).map((line) => `  ${line}`),
    `longest conversation  ${(ledger.longest.ms / 1_000).toFixed(1)} s: ${ledger.longest.what}`,
    `wrong bytes           ${number(ledger.wrongBytes)}`,
    `unhandled rejections  ${number(ledger.unhandled)}`,
    `other findings        ${number(ledger.findings.length - ledger.unhandled)}`,
    ...[...ledger.counts("finding: ")].map(([kind, count]) => `  ${number(count)} x ${kind}`),
    `handles left          ${left.length}`,
    ...grown.map(({ what, before, after, bound }) =>
      `${what} after warm-up`.padEnd(22).concat(`${mebibytes(before)} -> ${mebibytes(after)} (may grow by ${mebibytes(bound)})`),
    ),
    `heap after each round ${seen}`,
  ].join("\n");
}

function cruelties({ cruelties: counted }: Ledger): string[] {
  const known = [...WAYS_TO_GIVE.flatMap((way) => (counted.has(`${way} refused`) ? [] : [way])), ...CRUELTIES];
  const names = [...new Set([...known, ...counted.keys()])].toSorted();
  return names.map((name) => {
    const places = [...(counted.get(name) ?? [])].toSorted(([one], [other]) => (one < other ? -1 : 1));
    return `${name}: ${places.length === 0 ? "NEVER" : places.map(([place, count]) => `${place} ${count}`).join(" · ")}`;
  });
}
