/** The table of states: every move that it allows is made, and every other one is refused and changes nothing. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BaseProtocol } from "asyncio-streams";
import { TRANSITIONS, type TransportState } from "#src/core/transport-core.js";
import { BareTransport } from "./bare-transport.js";

const STATES = Object.keys(TRANSITIONS) as TransportState[];

/** A shortest way from `open` to each state, by the table. */
function waysByTheTable(): Map<TransportState, readonly TransportState[]> {
  const ways = new Map<TransportState, readonly TransportState[]>([["open", []]]);
  for (const [state, way] of ways) {
    for (const next of TRANSITIONS[state]) if (!ways.has(next)) ways.set(next, [...way, next]);
  }
  return ways;
}

const ways = waysByTheTable();

/** A transport in this state. */
function transportIn(state: TransportState): BareTransport {
  const transport = new BareTransport(new BaseProtocol(), 100);
  for (const step of ways.get(state) ?? []) assert.equal(transport.move(step), true);
  assert.equal(transport.state, state);
  return transport;
}

describe("the states of a transport", () => {
  it("can all be reached from open", () => assert.deepEqual([...ways.keys()].toSorted(), STATES.toSorted()));

  it("never lead back to themselves or to open, so that every life ends", () => {
    for (const state of STATES) {
      assert.ok(!TRANSITIONS[state].includes(state), state);
      assert.ok(!TRANSITIONS[state].includes("open"), state);
    }
  });

  it("end with lost or replaced, and with nothing else", () => {
    assert.deepEqual(
      STATES.filter((state) => TRANSITIONS[state].length === 0),
      ["replaced", "lost"],
    );
  });

  it("lead to lost directly from each state in which connectionLost() is still due", () => {
    for (const state of STATES) assert.equal(TRANSITIONS[state].includes("lost"), state !== "lost" && state !== "replaced", state);
  });

  for (const state of STATES) {
    for (const next of STATES) {
      const allowed = TRANSITIONS[state].includes(next);
      it(`${allowed ? "allow" : "refuse"} the move from ${state} to ${next}`, () => {
        const transport = transportIn(state);
        assert.equal(transport.move(next), allowed);
        assert.equal(transport.state, allowed ? next : state);
      });
    }

    const isClosing = !["open", "securing", "released"].includes(state);
    it(`say that the connection is ${isClosing ? "closing" : "not closing"} in ${state}`, () => {
      assert.equal(transportIn(state).isClosing(), isClosing);
    });

    const delivers = ["open", "failing"].includes(state);
    it(`let reading be paused and resumed in ${state}: ${delivers}`, () => {
      const transport = transportIn(state);
      assert.equal(transport.isReading(), delivers);
      assert.equal(transport.pause(), delivers);
      assert.equal(transport.pause(), false);
      assert.equal(transport.resume(), delivers);
      assert.equal(transport.resume(), false);
      assert.equal(transport.isReading(), delivers);
    });

    const canBeLost = TRANSITIONS[state].includes("lost");
    it(`${canBeLost ? "lead to one connectionLost()" : "lead to no connectionLost() any more"} from ${state}`, () => {
      const transport = transportIn(state);
      let calls = 0;
      transport.setProtocol({ ...new BaseProtocol(), dataReceived() {}, connectionLost: () => void (calls += 1) } as never);
      for (let time = 0; time < 2; time += 1) {
        transport.lose();
        transport.loseInAMoment();
        transport.runDeferred();
      }
      assert.equal(calls, canBeLost ? 1 : 0);
      assert.equal(transport.losses, calls);
      assert.equal(transport.state, canBeLost ? "lost" : state);
    });
  }
});
