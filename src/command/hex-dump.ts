/** A hex dump in the form of `hexdump -C`: offset, sixteen bytes, and their characters. */

const BYTES_PER_LINE = 16;

/** Returns the lines of a dump, each with a line feed. The first line begins at `offset`. */
export function hexDump(bytes: Uint8Array, offset: number = 0): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += BYTES_PER_LINE) text += dumpLine(bytes.subarray(at, at + BYTES_PER_LINE), offset + at);
  return text;
}

function dumpLine(bytes: Uint8Array, offset: number): string {
  let [hex, characters] = ["", ""];
  for (const [index, byte] of bytes.entries()) {
    hex += `${index === BYTES_PER_LINE / 2 ? " " : ""} ${byte.toString(16).padStart(2, "0")}`;
    characters += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
  }
  return `${offset.toString(16).padStart(8, "0")} ${hex.padEnd(BYTES_PER_LINE * 3 + 1)}  |${characters}|\n`;
}
