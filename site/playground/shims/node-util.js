/** The parts of `node:util` that the library uses in error messages and checks. */
const tag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);

export const types = {
  isUint8Array: (value) => tag.get.call(value) === "Uint8Array",
  isSharedArrayBuffer: (value) => Object.prototype.toString.call(value) === "[object SharedArrayBuffer]",
  isNativeError: (value) => Object.prototype.toString.call(value) === "[object Error]",
};

const MOST_CHARACTERS = 2_000;

/** A value as text, on one line if that is short: strings in quotes, and bytes as Node shows them. */
export function inspect(value, options, depth = 0) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `[Function: ${value.name || "(anonymous)"}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if (types.isUint8Array(value)) return inspectBytes(value);
  if (value instanceof Error) return depth === 0 ? `${value.name}: ${value.message}` : `[${value.name}: ${value.message}]`;
  if (depth > (options?.depth ?? 3)) return Array.isArray(value) ? "[Array]" : "[Object]";
  const parts = Array.isArray(value)
    ? value.map((item) => inspect(item, options, depth + 1))
    : Object.entries(value).map(([key, item]) => `${/^\w+$/.test(key) ? key : JSON.stringify(key)}: ${inspect(item, options, depth + 1)}`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const name = Array.isArray(value) ? "" : classOf(value);
  return parts.length === 0 ? `${name}${open}${close}` : `${name}${open} ${parts.join(", ").slice(0, MOST_CHARACTERS)} ${close}`;
}

function classOf(value) {
  const name = Object.getPrototypeOf(value)?.constructor?.name ?? "";
  return name === "" || name === "Object" ? "" : `${name} `;
}

function inspectBytes(bytes) {
  const shown = [...bytes.subarray(0, 50)].map((byte) => byte.toString(16).padStart(2, "0"));
  const more = bytes.length > shown.length ? ` ... ${bytes.length - shown.length} more bytes` : "";
  return `<Buffer${shown.map((byte) => ` ${byte}`).join("")}${more}>`;
}
