/** CPython as the judge: `judge.py` run over many scripts. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { Python } from "../support/python.js";
import { testFile } from "../support/repository.js";
import { compare, type Verdict } from "./script-player.js";
import type { Script, ScriptStep } from "./scripts.js";

/** What CPython gives for each script, in order, while they are made. */
export async function* judge(python: Python, scripts: Iterable<Script>): AsyncGenerator<readonly Verdict[]> {
  const child = spawn(python.binary, [testFile("parity/judge.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const lines = function* (): Generator<string> {
    for (const script of scripts) yield `${JSON.stringify(script)}\n`;
  };
  child.stdin.on("error", () => {}); // it is ended in the middle where a difference is found
  Readable.from(lines()).pipe(child.stdin);
  let code: number | null = 0;
  try {
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as readonly Verdict[];
    code = await ended;
  } finally {
    child.kill(); // if we were left before the end
    await ended;
  }
  if (code !== 0) throw new Error(`judge.py ended with ${code}`);
}

/** Where a script goes another way than in CPython: what `compare` says; `null` if it does not. */
async function difference(script: Script, verdicts: readonly Verdict[]): Promise<Error | null> {
  return compare(script, verdicts).then(
    () => null,
    (error: unknown) => error as Error,
  );
}

/** Compares scripts with CPython; the first that goes another way is made as short as it can be. Returns how many there were. */
export async function compareAll(python: Python, count: number, make: (number: number) => Script): Promise<number> {
  const scripts = function* (): Generator<Script> {
    for (let number = 0; number < count; number += 1) yield make(number);
  };
  let compared = 0;
  // Most scripts have errors in them, whose stacks would cost more than all the rest.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  for await (const verdicts of judge(python, scripts())) {
    const script = make(compared);
    if ((await difference(script, verdicts)) !== null) {
      const [shortest, error] = await shorten(python, script);
      throw new Error(
        `script ${compared} goes another way than in CPython; as short as it gets:\n${JSON.stringify(shortest)}\n${error.message}`,
      );
    }
    compared += 1;
  }
  Error.stackTraceLimit = stackTraceLimit;
  return compared;
}

/** Leaves out steps as long as there is a difference. */
async function shorten(python: Python, script: Script): Promise<[Script, Error]> {
  const shorter = script.steps.map(
    (_, left): Script => ({ ...script, steps: script.steps.filter((_step: ScriptStep, at) => at !== left) }),
  );
  let index = 0;
  for await (const verdicts of judge(python, [...shorter, script])) {
    const tried = shorter[index] ?? script;
    const error = await difference(tried, verdicts);
    if (error !== null) return tried === script ? [script, error] : shorten(python, tried);
    index += 1;
  }
  throw new Error(`a script is different only at times: ${JSON.stringify(script)}`);
}
