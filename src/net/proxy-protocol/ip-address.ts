/**
 * IP addresses as bytes: 4 for IPv4, 16 for IPv6.
 *
 * Parsing is strict. IPv4 has four decimal numbers without leading zeros. IPv6 has at most one `::`, and may end in an IPv4 address. A zone
 * (`%eth0`) is not part of an address. `net.isIP()` would accept zones, and its answers differ between runtimes.
 */

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;

/** The beginning of an IPv4 address that is written as IPv6. */
const MAPPED_PREFIX: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Returns the bytes of an address; `null` if the text is not an address. */
export function parseIp(text: string): readonly number[] | null {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): readonly number[] | null {
  const parts = text.split(".");
  if (parts.length !== IPV4_BYTES || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

function parseIpv6(text: string): readonly number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] as string, halves.length === 1);
  if (halves.length === 1) return head?.length === IPV6_BYTES ? head : null;
  const tail = parseGroups(halves[1] as string, true);
  if (head === null || tail === null || head.length + tail.length > IPV6_BYTES - 2) return null;
  return [...head, ...Array<number>(IPV6_BYTES - head.length - tail.length).fill(0), ...tail];
}

/** @param isLast whether the groups end the address, so that the last one may be an IPv4 address */
function parseGroups(text: string, isLast: boolean): readonly number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (/^[\da-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const embedded = isLast && index === groups.length - 1 ? parseIpv4(group) : null;
    if (embedded === null) return null;
    bytes.push(...embedded);
  }
  return bytes;
}

/** Returns the text of an address, IPv6 in the form of RFC 5952. */
export function formatIp(bytes: ArrayLike<number>): string {
  const all = Array.from(bytes);
  if (all.length === IPV4_BYTES) return all.join(".");
  if (isMapped(all)) return `::ffff:${all.slice(-IPV4_BYTES).join(".")}`;
  const groups: number[] = [];
  for (let at = 0; at < IPV6_BYTES; at += 2) groups.push(((all[at] as number) << 8) | (all[at + 1] as number));
  const [start, length] = longestZeros(groups);
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** Returns where the longest run of zeros starts, and its length: the first one if several are equally long. */
function longestZeros(groups: readonly number[]): [start: number, length: number] {
  let [bestStart, bestLength, length] = [0, 0, 0];
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > bestLength) [bestStart, bestLength] = [index - length + 1, length];
  }
  return [bestStart, bestLength];
}

function isMapped(bytes: readonly number[]): boolean {
  return bytes.length === IPV6_BYTES && MAPPED_PREFIX.every((byte, index) => bytes[index] === byte);
}

/** Returns the IPv4 address that an IPv6 address stands for (`::ffff:10.0.0.1`); any other address unchanged. */
export function unmapped(bytes: readonly number[]): readonly number[] {
  return isMapped(bytes) ? bytes.slice(-IPV4_BYTES) : bytes;
}

/** Returns an address as IPv6. */
export function asIpv6(bytes: readonly number[]): readonly number[] {
  return bytes.length === IPV4_BYTES ? [...MAPPED_PREFIX, ...bytes] : bytes;
}

/** The number of bits by which an IPv4 address is longer when it is written as IPv6. */
export const MAPPED_PREFIX_BITS: number = MAPPED_PREFIX.length * 8;
