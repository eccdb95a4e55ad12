/** Rounds over the contestants of a work, in turn, so that what else the machine does falls on all of them alike. */
import { type Contestant, findContestant, isOurs } from "../contestants.js";
import type { Options } from "../options.js";
import type { Work } from "../works.js";
import { type Figures, measure, type Place } from "./measure.js";
import { has } from "./tools.js";

/** What one contestant did, round by round. */
export interface Entry {
  readonly name: string;
  readonly rounds: Figures[];
  /** Why there are no figures. */
  missing: string | null;
}

export interface WorkResult {
  readonly work: Work;
  readonly entries: readonly Entry[];
}

export async function runWork(work: Work, place: Place, options: Options, progress: (text: string) => void): Promise<WorkResult> {
  const contestants = work.contestants.filter((name) => !options.oursOnly || isOurs(name)).map(findContestant);
  const entries = contestants.map(({ name, needs }): Entry => {
    const missing = needs.filter((need) => !has(place.tools, need));
    return { name, rounds: [], missing: missing.length === 0 ? null : `no ${missing.join(", ")}` };
  });
  for (let round = 1; round <= options.rounds; round += 1) {
    const indexes = [...contestants.keys()];
    // Nobody always comes after the same neighbour.
    if (round % 2 === 0) indexes.reverse();
    for (const index of indexes) {
      const entry = entries[index] as Entry;
      if (entry.missing !== null) continue;
      progress(`${work.id} ${work.title}, round ${round} of ${options.rounds}: ${entry.name}`);
      await measureInto(entry, work, contestants[index] as Contestant, place, options);
    }
  }
  return { work, entries };
}

/** Who fails is left out, with the reason in the table, so that the rest of the run is not lost. */
async function measureInto(entry: Entry, work: Work, contestant: Contestant, place: Place, options: Options): Promise<void> {
  try {
    entry.rounds.push(await measure(work, contestant, place, options));
  } catch (error) {
    entry.missing = (error as Error).message;
    entry.rounds.length = 0;
  }
}
