/** Lines that treat their bytes badly, and the clock that stands still. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectMemory, FakeClock, type Hostile, hostile, memoryPair, RecordingProtocol } from "asyncio-streams/testing";
import { isSettled, until } from "../support/turns.js";

/** Sends a text through a line, and gives the chunks that it comes in. */
async function chunksOf(text: string, line: Hostile): Promise<string[]> {
  const receiver = new RecordingProtocol();
  const [sender] = connectMemory(new RecordingProtocol(), receiver, { hostile: line });
  sender.write(text);
  sender.close();
  await receiver.lost;
  return receiver.chunks.map(String);
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyz";

describe("hostile.oneByteAtATime()", () => {
  it("makes a chunk of every byte", async () => {
    assert.deepEqual(await chunksOf(ALPHABET, hostile.oneByteAtATime()), ALPHABET.split(""));
  });

  it("does not affect a program that reads correctly", async () => {
    const [client, server] = memoryPair({ hostile: hostile.oneByteAtATime() });
    client.writer.write("grüße\r\n\0\0\0\u0002ok");
    assert.equal((await server.reader.readuntil("\r\n")).toString(), "grüße\r\n");
    const length = (await server.reader.readexactly(4)).readUInt32BE();
    assert.equal((await server.reader.readexactly(length)).toString(), "ok");
  });
});

describe("hostile.randomCuts()", () => {
  it("cuts the same way for the same seed, and another way for another", async () => {
    const once = await chunksOf(ALPHABET, hostile.randomCuts(1));
    assert.equal(once.join(""), ALPHABET);
    assert.ok(once.length > 1);
    assert.deepEqual(await chunksOf(ALPHABET, hostile.randomCuts(1)), once);
    const others = await Promise.all([2, 3, 4, -5, 2 ** 40].map((seed) => chunksOf(ALPHABET, hostile.randomCuts(seed))));
    assert.ok(others.every((other) => other.join("") === ALPHABET));
    assert.ok(new Set([once, ...others].map(String)).size > 4);
  });

  it("makes chunks of every size up to the maximum", async () => {
    const sizes = (await chunksOf(ALPHABET.repeat(40), hostile.randomCuts(1, 5))).map(({ length }) => length);
    assert.deepEqual(
      [...new Set(sizes)].sort((a, b) => a - b),
      [1, 2, 3, 4, 5],
    );
  });

  for (const [seed, max] of [
    [0.5, 1],
    ["1", 1],
    [1, 0],
    [1, 1.5],
  ] as const) {
    it(`refuses ${JSON.stringify([seed, max])}`, () => assert.throws(() => hostile.randomCuts(seed as number, max), /seed|max/));
  }
});

describe("hostile.resetAfter()", () => {
  for (const bytes of [0, 1, 10, 26]) {
    it(`delivers ${bytes} bytes, then both ends lose the connection`, async () => {
      const [client, server] = memoryPair({ hostile: [hostile.resetAfter(bytes), {}] });
      server.writer.write("on its way");
      client.writer.write(ALPHABET);
      await assert.rejects(server.reader.readexactly(100), { code: "ECONNRESET" });
      assert.equal(server.reader.bufferedLength, bytes);
      await assert.rejects(client.reader.readexactly(100), { code: "ECONNRESET" });
      assert.equal((await client.reader.readexactly(10)).toString(), "on its way");
      for (const { writer } of [client, server]) await assert.rejects(writer.waitClosed(), { code: "ECONNRESET" });
    });
  }

  it("does nothing to a connection that carries less", async () => {
    assert.deepEqual(await chunksOf(ALPHABET, hostile.resetAfter(27)), [ALPHABET]);
  });

  it("can be put together with others", async () => {
    const receiver = new RecordingProtocol();
    const [sender] = connectMemory(new RecordingProtocol(), receiver, {
      hostile: { ...hostile.oneByteAtATime(), ...hostile.resetAfter(3) },
    });
    sender.write(ALPHABET);
    assert.equal(((await receiver.lost) as NodeJS.ErrnoException).code, "ECONNRESET");
    assert.deepEqual(receiver.chunks.map(String), ["a", "b", "c"]);
  });

  for (const wrong of [-1, 0.5, "1"]) {
    it(`refuses ${JSON.stringify(wrong)}`, () => assert.throws(() => hostile.resetAfter(wrong as number), /bytes/));
  }
});

describe("hostile.delayed()", () => {
  it("delivers when the clock says so, and not before", async () => {
    const clock = new FakeClock();
    const [client, server] = memoryPair({ hostile: hostile.delayed(clock, 100) });
    client.writer.write("late\n");
    const reading = server.reader.readline();
    await clock.advance(99);
    assert.equal(await isSettled(reading), false);
    await clock.advance(1);
    assert.equal((await reading).toString(), "late\n");
    assert.equal(clock.now, 100);
  });

  it("delays each chunk", async () => {
    const clock = new FakeClock();
    const receiver = new RecordingProtocol();
    const [sender] = connectMemory(new RecordingProtocol(), receiver, {
      hostile: { ...hostile.oneByteAtATime(), ...hostile.delayed(clock, 10) },
    });
    sender.write("abc");
    for (const [now, text] of [
      [10, "a"],
      [20, "ab"],
      [29, "ab"],
      [30, "abc"],
    ] as const) {
      await clock.advance(now - clock.now);
      assert.equal(receiver.received.toString(), text);
    }
  });

  it("with a seed delays by times that look random, the same each time", async () => {
    const arrivals = async (seed: number): Promise<number[]> => {
      const clock = new FakeClock();
      const times: number[] = [];
      const receiver = new RecordingProtocol({ dataReceived: () => times.push(clock.now) });
      const [sender] = connectMemory(new RecordingProtocol(), receiver, {
        hostile: { ...hostile.oneByteAtATime(), ...hostile.delayed(clock, 50, seed) },
      });
      sender.write("abcdef");
      await clock.advance(1_000);
      assert.equal(receiver.received.toString(), "abcdef");
      return times;
    };
    const once = await arrivals(1);
    assert.deepEqual(await arrivals(1), once);
    assert.notDeepEqual(await arrivals(2), once);
    assert.ok(once.every((time, index) => time - (once[index - 1] ?? 0) <= 50));
  });

  it("loses the data that comes after the end of the connection", async () => {
    const clock = new FakeClock();
    const [client, server] = memoryPair({ hostile: hostile.delayed(clock, 100) });
    client.writer.write("too late");
    await until(() => clock.sleeping === 1);
    server.transport.abort();
    await server.writer.waitClosed();
    await clock.advance(100);
    assert.equal((await server.reader.read()).length, 0);
  });

  it("refuses a value that is not a clock, and invalid times", () => {
    for (const wrong of [null, undefined, {}, 5]) {
      assert.throws(() => hostile.delayed(wrong as never, 1), { code: "ERR_INVALID_ARG_TYPE", message: /clock/ });
    }
    for (const wrong of [-1, 0.5])
      assert.throws(() => hostile.delayed(new FakeClock(), wrong), { code: "ERR_OUT_OF_RANGE", message: /ms/ });
    assert.throws(() => hostile.delayed(new FakeClock(), 1, 0.5), { code: "ERR_OUT_OF_RANGE", message: /seed/ });
  });
});

describe("a custom Hostile", () => {
  for (const wrong of [0, -1, 1.5, 27, Number.NaN, "1"]) {
    it(`that cuts ${JSON.stringify(wrong)} of 26 bytes ends the connection with the reason`, async () => {
      const [client, server] = memoryPair({ hostile: { cut: () => wrong as number } });
      client.writer.write(ALPHABET);
      await assert.rejects(server.reader.read(), { code: "ERR_OUT_OF_RANGE", message: /cut\(\).*1 to 26/ });
      await assert.rejects(client.writer.waitClosed(), { code: "ERR_OUT_OF_RANGE" });
    });
  }

  it("that throws, or whose delay rejects, ends the connection with the error", async () => {
    const failure = new Error("on purpose");
    const throwing = (): never => {
      throw failure;
    };
    for (const line of [{ cut: throwing }, { delay: () => Promise.reject(failure) }]) {
      const [client, server] = memoryPair({ hostile: line });
      client.writer.write("x");
      await assert.rejects(server.reader.read(), (error) => error === failure);
    }
  });
});

describe("FakeClock", () => {
  it("wakes sleepers in the order of their times, then of their calls", async () => {
    const clock = new FakeClock();
    const woken: string[] = [];
    const sleep = async (ms: number, name: string): Promise<void> => {
      await clock.sleep(ms);
      woken.push(`${name} at ${clock.now}`);
    };
    void Promise.all([sleep(20, "b"), sleep(10, "a"), sleep(20, "c"), sleep(0, "now"), sleep(31, "late")]);
    assert.equal(clock.sleeping, 5);
    await clock.advance(30);
    assert.deepEqual(woken, ["now at 0", "a at 10", "b at 20", "c at 20"]);
    assert.deepEqual([clock.now, clock.sleeping], [30, 1]);
    await clock.advance(1);
    assert.equal(woken.at(-1), "late at 31");
  });

  it("lets a woken sleeper sleep again within the same advance()", async () => {
    const clock = new FakeClock();
    const ticks: number[] = [];
    const tick = async (): Promise<void> => {
      for (let count = 0; count < 5; count += 1) {
        await clock.sleep(10);
        ticks.push(clock.now);
      }
    };
    void tick();
    await clock.advance(35);
    assert.deepEqual(ticks, [10, 20, 30]);
  });

  it("refuses invalid times", async () => {
    const clock = new FakeClock();
    for (const wrong of [-1, 0.5, "1"]) {
      await assert.rejects(async () => clock.sleep(wrong as number), /ms/);
      await assert.rejects(clock.advance(wrong as number), /ms/);
    }
    assert.equal(clock.now, 0);
  });
});
