/** What every docstring of the public API has to have, beside being there (`npm run check:docs`) and compiling (`snippets.test.ts`). */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as api from "asyncio-streams";
import * as framing from "asyncio-streams/framing";
import * as subprocess from "asyncio-streams/process";
import * as testing from "asyncio-streams/testing";
import * as unix from "asyncio-streams/unix";
import { type Docstring, docstrings } from "./docstrings.js";

/** Not public, though it looks so: what the reader and the codecs stand on. */
const INNER = /^streams\/(read-engine|attempts)\.d\.ts$|function readInOneAttempt/;

const all = docstrings().filter(({ file, declaration }) => !INNER.test(file) && !INNER.test(declaration));

/** Calls that wait and can be told to stop. */
const waiting = all.filter(
  ({ text, declaration }) =>
    /\boptions\??: \w*(Signal|Read|Lines|Connection|Server)\w*/.test(declaration) &&
    /\): (Promise|AsyncIterableIterator)</.test(declaration) &&
    !text.includes("@internal"),
);

const names = ({ file, declaration }: Docstring): string => `${file}: ${declaration.slice(0, 60)}`;

describe("the docstrings of the public API", () => {
  it("are read from the declarations", () => {
    assert.ok(all.length > 200, String(all.length));
    assert.ok(waiting.length > 20, String(waiting.length));
  });

  it("say what an abort does, on every call that waits", () => {
    const silent = waiting.filter(({ text }) => !/\*\*If aborted\*\*|the same/i.test(text));
    assert.deepEqual(silent.map(names), []);
  });

  it("have an example, on every function and class but errors and base classes", () => {
    const exported = new Set([
      ...Object.keys(api),
      ...Object.keys(framing),
      ...Object.keys(subprocess),
      ...Object.keys(testing),
      ...Object.keys(unix),
    ]);
    const without = all.filter(({ text, declaration }) => {
      const name = /^export declare (?:abstract )?(?:function|class) (\w+)/.exec(declaration)?.[1];
      return name !== undefined && exported.has(name) && !text.includes("@example") && !/extends (Range)?Error/.test(declaration);
    });
    assert.deepEqual(without.map(names), []);
  });

  it("name the errors of every function that checks its arguments", () => {
    const silent = waiting.filter(
      ({ text, declaration }) => declaration.startsWith("export declare function") && !text.includes("@throws"),
    );
    assert.deepEqual(silent.map(names), []);
  });
});
