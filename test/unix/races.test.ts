/** Starters in several processes that want the same path at the same time. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { StartUnixServerOptions } from "asyncio-streams";
import { Child, scriptCommand } from "../support/child.js";
import type { Outcome } from "../support/outcome.js";
import { staleSocket } from "../support/stale-socket.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { ask, filesBeside } from "./answering.js";

const RACES = Number(process.env["START_RACES"] ?? 200);

class Racers implements AsyncDisposable {
  readonly #peers: readonly Child[] = Array.from({ length: 2 }, () => new Child(scriptCommand("unix/server-child")));
  readonly #gates: string = temporaryDirectory();
  #race = 0;

  /** Lets both start at the same time, each with its options; returns the error of each, `null` for a winner. */
  async start(path: string, ...options: readonly StartUnixServerOptions[]): Promise<(Outcome | null)[]> {
    this.#race += 1;
    const gate = join(this.#gates, `${this.#race}`);
    const ready = await Promise.all(this.#peers.map((peer, index) => peer.ask("start", path, options[index] ?? {}, gate)));
    assert.deepEqual(ready, ["ready", "ready"]);
    writeFileSync(gate, "");
    const settled = await Promise.all(this.#peers.map((peer) => peer.next<Outcome | null>()));
    unlinkSync(gate);
    return settled;
  }

  names(): string[] {
    return this.#peers.map((peer) => `${peer.process.pid}`);
  }

  /** Closes the servers of both. */
  async close(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.ask("close")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.end()));
  }
}

describe("two processes that start on one path at the same time", () => {
  for (const [what, prepare] of [
    ["over a stale file", (path: string) => staleSocket(path)],
    ["that is free", async () => {}],
  ] as const) {
    it(`${what}: one wins and answers, the other gets EADDRINUSE, and nothing is left, ${RACES} times`, async () => {
      await using racers = new Racers();
      const path = socketPath();
      const wins = new Map(racers.names().map((name) => [name, 0]));
      for (let race = 1; race <= RACES; race += 1) {
        await prepare(path);
        const outcomes = await racers.start(path);
        const codes = outcomes.map((outcome) => outcome?.code ?? "won");
        assert.deepEqual(codes.toSorted(), ["EADDRINUSE", "won"], JSON.stringify({ race, outcomes }));
        const winner = racers.names()[codes.indexOf("won")] as string;
        assert.equal(await ask(path), `${winner} who`);
        assert.deepEqual(filesBeside(path), ["test.sock"]);
        wins.set(winner, (wins.get(winner) as number) + 1);
        await racers.close();
        assert.deepEqual(filesBeside(path), []);
      }
      // Otherwise they did not race.
      assert.ok(
        [...wins.values()].every((count) => count > 0),
        JSON.stringify([...wins]),
      );
    });
  }

  it(`with takeover: the one that takes over has the name in the end, and answers, ${RACES / 2} times`, async () => {
    await using racers = new Racers();
    const path = socketPath();
    for (let race = 1; race <= RACES / 2; race += 1) {
      await staleSocket(path);
      const [taking, plain] = await racers.start(path, { takeover: true });
      assert.equal(taking, null, JSON.stringify({ race, taking }));
      assert.ok(plain === null || plain?.code === "EADDRINUSE", JSON.stringify({ race, plain }));
      assert.equal(await ask(path), `${racers.names()[0]} who`);
      assert.deepEqual(filesBeside(path), ["test.sock"]);
      await racers.close();
      assert.deepEqual(filesBeside(path), []);
    }
  });
});
