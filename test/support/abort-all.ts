/** Ends connections at once. */
import type { StreamWriter } from "asyncio-streams";

/** Aborts all of them, and waits for their ends, whatever those say. */
export async function abortAll(writers: readonly StreamWriter[]): Promise<void> {
  for (const writer of writers) writer.abort();
  await Promise.all(writers.map((writer) => writer.waitClosed().catch(() => {})));
}
