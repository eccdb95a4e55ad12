/**
 * Rows of the table of calls, in a process of their own.
 *
 *   child.js <name of a row>...
 *
 * It prints a line of JSON: { [name]: [CPU nanoseconds a message, ...] }, one figure for each round. The rows take turns.
 */
import { ROWS, RUN_MESSAGES } from "./rows.js";

const WARM_UP_RUNS = 20;
const ROUNDS = 41;

const names = process.argv.slice(2);
const rows = ROWS.filter(({ name }) => names.includes(name));
const costs: Record<string, number[]> = Object.fromEntries(rows.map(({ name }) => [name, []]));
for (let run = 0; run < WARM_UP_RUNS; run += 1) for (const row of rows) await row.run();
for (let round = 0; round < ROUNDS; round += 1) {
  for (const row of rows) {
    const before = process.cpuUsage();
    await row.run();
    const { user, system } = process.cpuUsage(before);
    costs[row.name]?.push(((user + system) * 1e3) / RUN_MESSAGES);
  }
}
console.log(JSON.stringify(costs));
