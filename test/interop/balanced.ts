/** Two processes behind a balancer, and clients that go through it all the time. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { ProxyHeader, SocketAddress } from "asyncio-streams";
import { openTo } from "../support/addresses.js";
import { Child, scriptCommand } from "../support/child.js";
import { until } from "../support/turns.js";
import type { Program } from "./program.js";

/** What a server answers. */
export interface Answer {
  readonly pid: number;
  readonly line: string;
  readonly peername: SocketAddress;
  readonly sockname: SocketAddress;
  readonly header: ProxyHeader & { readonly uniqueId?: { readonly data: readonly number[] } };
}

/** The names of the two, and of their sockets in the balancer's directory. */
export const BACK_ENDS = ["one", "two"] as const;

const CLIENTS = 20;

/** Asks through the balancer on a new connection. */
export async function ask(
  front: SocketAddress,
  line: string,
  options: object = {},
): Promise<Answer & { readonly from: SocketAddress | null }> {
  const [reader, writer] = await openTo(front, options);
  try {
    writer.write(`${line}\n`);
    const answer = JSON.parse(String(await reader.readline())) as Answer;
    return { ...answer, from: writer.getExtraInfo("sockname") };
  } finally {
    writer.close();
    await writer.waitClosed().catch(() => {});
  }
}

/** The server processes of a balancer. */
export class BackEnds {
  readonly #running: Map<string, Child> = new Map();
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
    program.atEnd(() => Promise.all([...this.#running.values()].map((child) => child[Symbol.asyncDispose]())));
  }

  /** Starts one in place of its predecessor, which is returned. */
  async start(name: string): Promise<Child | undefined> {
    const predecessor = this.#running.get(name);
    const child = new Child(scriptCommand("interop/proxied-server", join(this.#program.directory, `${name}.sock`)));
    this.#running.set(name, child);
    assert.equal(await child.nextLine(), "listening");
    return predecessor;
  }

  pid(name: string): number {
    return this.#running.get(name)!.process.pid as number;
  }

  /** Starts a successor, and then lets the old one finish. */
  async restart(name: string): Promise<void> {
    const old = await this.start(name);
    old!.process.kill("SIGTERM");
    assert.deepEqual(await old!.ended, { code: 0, signal: null });
  }

  async kill(name: string): Promise<void> {
    const child = this.#running.get(name)!;
    child.process.kill("SIGKILL");
    await child.ended;
  }
}

/** Restarts one server and kills the other, while clients come through the balancer all the time. */
export async function disturbUnderLoad(backEnds: BackEnds, front: SocketAddress): Promise<void> {
  const errors: unknown[] = [];
  const served = new Map<number, number>();
  let ending = false;
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    for (let number = 0; !ending; number += 1) {
      try {
        const { pid, line, peername, from } = await ask(front, `${client}.${number}`);
        assert.equal(line, `${client}.${number}\n`);
        assert.deepEqual(peername, from);
        served.set(pid, (served.get(pid) ?? 0) + 1);
      } catch (error) {
        errors.push(error);
      }
    }
  });
  const answers = (name: string): number => served.get(backEnds.pid(name)) ?? 0;
  try {
    await until(() => BACK_ENDS.every((name) => answers(name) >= 20));
    for (const name of BACK_ENDS) {
      await backEnds.restart(name);
      await until(() => answers(name) >= 20);
    }
    assert.deepEqual(errors, [], "a restart fails no client");
    await backEnds.kill("two");
    // Each of the clients may have been with it, once; the balancer sends them elsewhere after that.
    const before = answers("one");
    await until(() => answers("one") >= before + 10 * CLIENTS);
    assert.ok(errors.length <= 2 * CLIENTS, `${errors.length} clients failed: ${String(errors[0])}`);
    const failed = errors.length;
    await until(() => answers("one") >= before + 20 * CLIENTS);
    assert.equal(errors.length, failed, "no client fails once the balancer knows");
    await backEnds.start("two");
    await until(() => answers("two") >= 20);
    assert.equal(errors.length, failed, "no client fails when it comes back");
  } finally {
    ending = true;
    await Promise.all(clients);
  }
}
