/** A reporter of node:test that writes a line for each test: `{ file, outcome }`. For `results.mjs`. */
export default async function* report(source) {
  for await (const { type, data } of source) {
    if ((type !== "test:pass" && type !== "test:fail") || data.details?.type === "suite" || data.file === undefined) continue;
    const outcome = type === "test:fail" ? "failed" : data.skip !== undefined ? "skipped" : "passed";
    yield `${JSON.stringify({ file: data.file, outcome })}\n`;
  }
}
