/**
 * The values of D-Bus, for `dbus.ts`: a signature such as "sa{sv}" lists their types, and each is aligned to its size.
 *
 * Run it: not by itself; `dbus.ts` imports it.
 * You will see: nothing.
 */

/** The alignment of each type, in bytes. */
const ALIGNMENT: Readonly<Record<string, number>> = { y: 1, g: 1, v: 1, n: 2, q: 2, x: 8, t: 8, d: 8, "(": 8, "{": 8 };
const alignmentOf = (type: string): number => ALIGNMENT[type[0] as string] ?? 4;

/** The complete types of a signature: "sa{sv}" has "s" and "a{sv}". */
function typesOf(signature: string): string[] {
  const types: string[] = [];
  for (let start = 0, at = 0, depth = 0; at < signature.length; at += 1) {
    const code = signature[at] as string;
    if ("({".includes(code)) depth += 1;
    else if (")}".includes(code)) depth -= 1;
    if (depth > 0 || code === "a") continue;
    types.push(signature.slice(start, at + 1));
    start = at + 1;
  }
  return types;
}

/** Encodes values, in the byte order of this library's examples: little-endian. A variant is a pair of its signature and its value. */
export function encode(signature: string, values: readonly unknown[]): Buffer {
  const bytes: number[] = [];
  const align = (type: string): void => {
    while (bytes.length % alignmentOf(type) > 0) bytes.push(0);
  };
  const number = (size: number, value: number | bigint): void => {
    for (let shift = 0; shift < size * 8; shift += 8) bytes.push(Number((BigInt(value) >> BigInt(shift)) & 0xffn));
  };
  const text = (sizeOfLength: number, value: string): void => {
    const utf8 = Buffer.from(value);
    number(sizeOfLength, utf8.length);
    bytes.push(...utf8, 0);
  };
  const put = (type: string, value: unknown): void => {
    align(type);
    const code = type[0] as string;
    if ("so".includes(code)) text(4, value as string);
    else if (code === "g") text(1, value as string);
    else if (code === "v") {
      const [inner, held] = value as [string, unknown];
      text(1, inner);
      put(inner, held);
    } else if (code === "a") {
      const at = bytes.length;
      number(4, 0);
      align(type.slice(1));
      const start = bytes.length;
      for (const element of value as Iterable<unknown>) put(type.slice(1), element);
      for (const [index, byte] of encode("u", [bytes.length - start]).entries()) bytes[at + index] = byte;
    } else if ("({".includes(code)) {
      for (const [index, field] of typesOf(type.slice(1, -1)).entries()) put(field, (value as readonly unknown[])[index]);
    } else if (code === "d") bytes.push(...new Uint8Array(Float64Array.of(value as number).buffer));
    else number(alignmentOf(type), code === "b" ? Number(value) : (value as number | bigint));
  };
  for (const [index, type] of typesOf(signature).entries()) put(type, values[index]);
  return Buffer.from(bytes);
}

/** Decodes values. Arrays and structures become arrays, dictionaries arrays of pairs; a variant becomes its value. */
export function decode(signature: string, bytes: Buffer): unknown[] {
  let at = 0;
  const take = (size: number): number => {
    at += size;
    return at - size;
  };
  const text = (length: number): string => bytes.toString("utf8", at, take(length + 1) + length);
  const readers: Readonly<Record<string, (type: string) => unknown>> = {
    y: () => bytes.readUInt8(take(1)),
    n: () => bytes.readInt16LE(take(2)),
    q: () => bytes.readUInt16LE(take(2)),
    i: () => bytes.readInt32LE(take(4)),
    u: () => bytes.readUInt32LE(take(4)),
    h: () => bytes.readUInt32LE(take(4)),
    b: () => bytes.readUInt32LE(take(4)) === 1,
    x: () => bytes.readBigInt64LE(take(8)),
    t: () => bytes.readBigUInt64LE(take(8)),
    d: () => bytes.readDoubleLE(take(8)),
    s: () => text(bytes.readUInt32LE(take(4))),
    o: () => text(bytes.readUInt32LE(take(4))),
    g: () => text(bytes.readUInt8(take(1))),
    v: () => get(text(bytes.readUInt8(take(1)))),
    a(type) {
      const length = bytes.readUInt32LE(take(4));
      take(-at & (alignmentOf(type.slice(1)) - 1));
      const end = at + length;
      const list: unknown[] = [];
      while (at < end) list.push(get(type.slice(1)));
      return list;
    },
    "(": (type) => typesOf(type.slice(1, -1)).map(get),
    "{": (type) => typesOf(type.slice(1, -1)).map(get),
  };
  const get = (type: string): unknown => {
    take(-at & (alignmentOf(type) - 1));
    return readers[type[0] as string]?.(type);
  };
  return typesOf(signature).map(get);
}
