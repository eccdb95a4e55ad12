/** A node:test reporter for `results.mjs`: writes a line `{ file, outcome }` for each test. */
export default async function* report(source) {
  for await (const { type, data } of source) {
    if ((type !== "test:pass" && type !== "test:fail") || data.details?.type === "suite" || data.file === undefined) continue;
    const outcome = type === "test:fail" ? "failed" : data.skip !== undefined ? "skipped" : "passed";
    yield `${JSON.stringify({ file: data.file, outcome })}\n`;
  }
}
