/** The public API as its declarations (`dist/**\/*.d.ts`) have it: what is exported, and the public members of classes and interfaces. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "../support/repository.js";

const INDEX = join(root, "dist", "index.d.ts");

/** The declaration file from which `file` imports or exports `name`; `null` if it does not. */
function origin(file: string, name: string): string | null {
  const text = readFileSync(file, "utf8");
  for (const [, names = "", from = ""] of text.matchAll(/^(?:import|export) (?:type )?\{([^}]*)\} from "([^"]+)"/gm)) {
    if (splitNames(names).includes(name) && from.startsWith(".")) return join(dirname(file), from.replace(/\.js$/, ".d.ts"));
  }
  return null;
}

function splitNames(names: string): string[] {
  return names
    .split(",")
    .map((name) => name.trim().replace(/^type /, ""))
    .filter((name) => name !== "");
}

/** Every name that the package exports, types too. */
export function exportedNames(): string[] {
  const text = readFileSync(INDEX, "utf8");
  return [...text.matchAll(/^export (?:type )?\{([^}]*)\} from/gm)].flatMap(([, names = ""]) => splitNames(names));
}

/**
 * The public members of an exported class or interface, inherited ones included; not constructors, and not what is marked `@internal`.
 *
 * @param file where the name is known
 */
export function membersOf(name: string, file: string = INDEX): string[] {
  const home = origin(file, name) ?? file;
  const text = readFileSync(home, "utf8");
  const declaration = text.match(
    new RegExp(`^(?:export )?(?:declare )?(?:class|interface) ${name}\\b(?:<[^>]*>)?([^{]*)\\{(.*?)^\\}`, "ms"),
  );
  if (declaration === null) throw new Error(`${home} has no class or interface ${name}`);
  const [, heritage = "", body = ""] = declaration;
  const bases = splitNames(heritage.match(/extends (.*?)(?: implements |$)/s)?.[1]?.replace(/Omit<(\w+), "\w+">/g, "$1") ?? "");
  const inherited = bases.flatMap((base) => membersOf(base.trim(), home));
  const members = body.split(/(?<=;\n)(?= {4}\S)/).flatMap((member) => {
    if (member.includes("@internal")) return [];
    const found = member.replace(/\/\*\*.*?\*\//gs, "").match(/^ {4}(?:readonly |get |static )*(\w+|\[Symbol\.\w+\])\??[(<:]/m);
    return found === null || found[1] === "constructor" ? [] : [found[1] as string];
  });
  return [...new Set([...inherited, ...members])];
}
