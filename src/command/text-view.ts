/** Bytes as text for a terminal: decides whether bytes are text, and escapes what a terminal would not print. */

/** Control characters, invisible ones and those that change the direction of text; and the backslash, by which they are escaped. */
const ESCAPED = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\\]/gu;

const NAMES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

/** Bytes are shown as text if no more than one in so many is neither text nor white space. */
const TEXT_PER_OTHER = 10;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Returns the text of bytes in UTF-8; `null` if they are not. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/**
 * Returns bytes as lines of escaped text, each with its line end as `\n`.
 *
 * @param always whether to show as text what is mostly not
 * @returns `null` if the bytes are not text
 */
export function textLines(bytes: Uint8Array, always: boolean): string[] | null {
  let others = 0;
  let text = "";
  for (const part of partsOf(bytes)) {
    if (typeof part === "number") {
      others += 1;
      text += `\\x${part.toString(16).padStart(2, "0")}`;
    } else {
      text += part.replace(ESCAPED, (character) => {
        if (!(character in NAMES)) others += 1;
        return NAMES[character] ?? `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
      });
    }
  }
  if (!always && others * TEXT_PER_OTHER > bytes.length) return null;
  return text.split(/(?<=(?<!\\)(?:\\\\)*\\n)/).filter((line) => line !== "");
}

/** Divides bytes into text, and single bytes that are not UTF-8. */
function* partsOf(bytes: Uint8Array): Generator<string | number> {
  const whole = textOf(bytes);
  if (whole !== null) {
    yield whole;
    return;
  }
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes[at] as number);
    const text = length === 0 || at + length > bytes.length ? null : textOf(bytes.subarray(at, at + length));
    yield text ?? (bytes[at] as number);
    at += text === null ? 1 : length;
  }
}

/** The length of the UTF-8 sequence that a byte begins; 0 if it begins none. */
function sequenceLength(byte: number): number {
  if (byte < 0x80) return 1;
  if (byte < 0xc2) return 0;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : byte < 0xf5 ? 4 : 0;
}
