/** Collecting garbage, for tests of what is let go of. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { turns } from "./turns.js";

/** Collects garbage, on every runtime; some hold on to the last few objects for a while. */
export async function collectGarbage(): Promise<void> {
  const { Bun } = globalThis as { readonly Bun?: { gc(synchronous: boolean): void } };
  let collect = (): void => Bun?.gc(true);
  if (Bun === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  for (let time = 0; time < 5; time += 1) {
    await turns();
    collect();
  }
}
