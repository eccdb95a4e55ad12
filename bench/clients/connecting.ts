/** What the clients in JavaScript that connect have in common: `<path or port> connect <line bytes> <connections> <count>`. */
import { obeyRuns } from "../load/runs.js";

const [, , where = "", , lineBytes, connections, count] = process.argv;

/** Where to connect: a port on this machine, or a path. */
export const port: number | null = /^\d+$/.test(where) ? Number(where) : null;
export const path: string = where;

export const request: Buffer = Buffer.from(`${"x".repeat(Number(lineBytes) - 1)}\n`);

/** Makes connections in runs, several at a time. A count other than 0 ends a run after as many. */
export async function connectInRuns(converse: () => Promise<void>): Promise<void> {
  const limit = Number(count);
  await obeyRuns(async (end) => {
    let begun = 0;
    const lane = async (): Promise<void> => {
      while (limit === 0 ? performance.now() < end : begun < limit) {
        begun += 1;
        await converse();
      }
    };
    await Promise.all(Array.from({ length: Number(connections) }, lane));
    return begun;
  });
}
