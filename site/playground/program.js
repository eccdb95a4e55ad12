/** Turns the text of a program, a module with imports, into an async function. The lines keep their numbers. */

const IMPORT = /^([ \t]*)import\s+(?:\{([^}]*)\}|\*\s+as\s+(\w+))\s+from\s+(["'])([^"']+)\4[ \t]*;?/gm;

const AsyncFunction = (async () => {}).constructor;

/** The number of lines that the engine puts before the text of a function. */
const LINES_BEFORE = 2;

/** Compiles a program. Throws a SyntaxError if it is not correct, or uses another form of `import`. */
export function compile(text, modules) {
  const body = text.replace(IMPORT, (_, indent, names, namespace, _quote, from) => {
    const bindings = namespace ?? `{${names.replace(/\s+as\s+/g, ": ").replace(/\btype\s+\w+\s*,?/g, "")}}`;
    return `${indent}const ${bindings} = $import(${JSON.stringify(from)});`;
  });
  const other = /^[ \t]*(?:import\b(?!\s*[.(])|export\b).*$/m.exec(body);
  if (other !== null) throw new SyntaxError(`write imports as import { names } from "asyncio-streams", and no exports: ${other[0].trim()}`);
  const program = new AsyncFunction("$import", "console", `"use strict";${body}\n//# sourceURL=program.js`);
  return (console) => program((name) => importFrom(name, modules), console);
}

function importFrom(name, modules) {
  if (!Object.hasOwn(modules, name)) throw new Error(`cannot import "${name}" here. There is: ${Object.keys(modules).join(", ")}`);
  return new Proxy(modules[name], {
    get(module, key) {
      if (key in module || typeof key === "symbol") return module[key];
      throw new Error(`"${name}" has no export "${key}" that works in a browser`);
    },
  });
}

/** The line of the program that an error comes from; `undefined` if its stack does not say. */
export function lineOf(error) {
  const line = /program\.js:(\d+)/.exec(error?.stack ?? "")?.[1];
  return line === undefined ? undefined : Number(line) - LINES_BEFORE;
}
