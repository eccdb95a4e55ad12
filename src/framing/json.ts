/** JSON values as bytes, for the codecs that carry them. */
import { invalidType, invalidValue, toBytes } from "../base/arguments.js";
import { frameBytes } from "./codec.js";

/** Throws for bytes that are not UTF-8, instead of replacing them with U+FFFD. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Decodes text. Throws if it is not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

/** Encodes a frame. Refuses what JSON has no form for, and `null`, which means EOF in the other direction. */
export function jsonBytes(frame: unknown, maximum: number): Uint8Array {
  return frameBytes(jsonText(frame), maximum);
}

/** Encodes a frame like `jsonBytes()`, with a newline behind it, which does not count. One piece costs less to write than two. */
export function jsonLine(frame: unknown, maximum: number): Uint8Array {
  const text = jsonText(frame);
  const line = toBytes("frame", `${text}\n`);
  if (line.length - 1 > maximum) return frameBytes(text, maximum); // throws
  return line;
}

function jsonText(frame: unknown): string {
  const text = jsonOf(frame);
  if (text === undefined || text === "null") throw invalidType("frame", "a JSON value other than null", frame);
  return text;
}

/** Returns a value as JSON; `undefined` if JSON has no form for it. */
function jsonOf(frame: unknown): string | undefined {
  try {
    return JSON.stringify(frame);
  } catch (error) {
    const bigint = findBigint(frame); // rethrows if a toJSON() throws
    if (bigint !== null) throw invalidType(bigint.place, "a JSON value", bigint.value);
    throw Object.assign(invalidValue(`cannot write the frame as JSON: ${(error as Error).message}`), { cause: error });
  }
}

/** Returns the first bigint in a value, for which JSON has no form, and its place, such as `frame["list"][2]`. */
function findBigint(frame: unknown): { readonly place: string; readonly value: bigint } | null {
  let found: { place: string; value: bigint } | null = null;
  const places = new Map<unknown, string>();
  JSON.stringify(frame, function (this: unknown, key: string, value: unknown) {
    const holder = places.get(this);
    const place = holder === undefined ? "frame" : `${holder}[${Array.isArray(this) ? key : JSON.stringify(key)}]`;
    if (typeof value === "bigint") found ??= { place, value };
    if (typeof value !== "object" || value === null || places.has(value)) return null; // visits each object once, which also ends cycles
    places.set(value, place);
    return value;
  });
  return found;
}
