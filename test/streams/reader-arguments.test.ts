/** Wrong arguments of a StreamReader: each is refused by name, and the reader keeps its bytes. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamReader, StreamReaderProtocol } from "asyncio-streams";
import { detachedView } from "../support/detached.js";
import { readerOf, rest, text } from "../support/readers.js";
import { RANGE, type Refusal, show, TYPE, VALUE } from "../support/refused.js";

type Call = (reader: StreamReader, argument: never) => unknown;
/** A call, the start of the message of its error, and the arguments that it refuses. */
type Row = readonly [name: string, call: Call, message: RegExp, refused: readonly (readonly [error: Refusal, ...values: unknown[]])[]];

/** Reads: their promises reject. */
const reads: readonly Row[] = [
  [
    "read",
    (reader, n) => reader.read(n),
    /^n must be /,
    [
      [RANGE, 1.5, Number.NaN, Infinity],
      [TYPE, "5", null, 5n],
    ],
  ],
  [
    "readexactly",
    (reader, n) => reader.readexactly(n),
    /^n must be /,
    [
      [RANGE, -1, 0.5, Number.NaN, 2 ** 53],
      [TYPE, "5", undefined],
    ],
  ],
  [
    "peek",
    (reader, n) => reader.peek(n),
    /^n must be /,
    [
      [RANGE, -1, 1.5, Number.NaN, 2 ** 53, Infinity],
      [TYPE, "3", null, 3n, undefined],
    ],
  ],
  [
    "skip",
    (reader, n) => reader.skip(n),
    /^n must be /,
    [
      [RANGE, -1, 1.5, Number.NaN, 2 ** 53, Infinity],
      [TYPE, "3", null, 3n, undefined],
    ],
  ],
  [
    "readuntil",
    (reader, separator) => reader.readuntil(separator),
    /separator/,
    [
      [VALUE, "", new Uint8Array(), [], ["\n", ""]],
      [TYPE, 10, null, /\n/],
    ],
  ],
  [
    "readinto",
    (reader, view) => reader.readinto(view),
    /^view must be /,
    [[TYPE, new Uint8Array(0), detachedView(), new ArrayBuffer(4), new DataView(new ArrayBuffer(4)), [1, 2], undefined]],
  ],
  ["options of read", (reader, value) => reader.read(1, value), /^options must be /, [[TYPE, 5]]],
  ["options of peek", (reader, value) => reader.peek(1, value), /^options must be /, [[TYPE, 5]]],
  ["options of skip", (reader, value) => reader.skip(1, value), /^options must be /, [[TYPE, 5]]],
  ["options of readinto", (reader, value) => reader.readinto(new Uint8Array(4), value), /^options must be /, [[TYPE, 5]]],
  ["signal", (reader, signal) => reader.read(1, { signal }), /^signal must be /, [[TYPE, new AbortController()]]],
  [
    "limit of readline",
    (reader, limit) => reader.readline({ limit }),
    /^limit must be /,
    [
      [RANGE, 0, -1, 1.5, Number.NaN],
      [TYPE, "4"],
    ],
  ],
  ["limit of readuntil", (reader, limit) => reader.readuntil("\n", { limit }), /^limit must be /, [[RANGE, 0, -1, 1.5, Number.NaN]]],
  ["keepSeparator", (reader, keepSeparator) => reader.readuntil("\n", { keepSeparator }), /^keepSeparator must be /, [[TYPE, 0]]],
  ...(
    [
      ["read", (reader, timeout) => reader.read(9, { timeout })],
      ["read to EOF", (reader, timeout) => reader.read(-1, { timeout })],
      ["readline", (reader, timeout) => reader.readline({ timeout })],
      ["readexactly", (reader, timeout) => reader.readexactly(9, { timeout })],
      ["readuntil", (reader, timeout) => reader.readuntil(";", { timeout })],
      ["peek", (reader, timeout) => reader.peek(9, { timeout })],
      ["readinto", (reader, timeout) => reader.readinto(new Uint8Array(9), { timeout })],
      ["lines", async (reader, timeout) => reader.lines({ timeout }).next()],
      ["chunks", async (reader, timeout) => reader.chunks(9, { timeout }).next()],
    ] as readonly (readonly [string, Call])[]
  ).map(([name, call]): Row => [`timeout of ${name}`, call, /timeout/, [[RANGE, -1, 0.5, Number.NaN, -Infinity, 2 ** 31]]]),
  // The line that is there is enough: there is nothing to wait for.
  ["timeout", (reader, timeout) => reader.readline({ timeout }), /timeout/, [[TYPE, "5", null, {}, 5n]]],
  ["options of lines", async (reader, value) => reader.lines(value).next(), /^options must be /, [[TYPE, 5, null]]],
];

/** Calls that throw at once. */
const calls: readonly Row[] = [
  ["feedData", (reader, data) => reader.feedData(data), /^data must be /, [[TYPE, 1, null, undefined, [1], new ArrayBuffer(1)]]],
  [
    "unread",
    (reader, data) => reader.unread(data),
    /^data must be /,
    [[TYPE, undefined, null, 5, [1], new ArrayBuffer(2), detachedView()]],
  ],
  ["setTransport", (reader, transport) => reader.setTransport(transport), /^transport must be /, [[TYPE, null, undefined, "transport"]]],
  [
    "chunks",
    (reader, size) => reader.chunks(size),
    /^size must be /,
    [
      [RANGE, 0, -1, 2.5, Number.NaN],
      [TYPE, "5", null, {}],
    ],
  ],
  ["options of chunks", (reader, value) => reader.chunks(5, value), /^options must be /, [[TYPE, 5, null]]],
  ["limit of lines", (reader, limit) => reader.lines({ limit }), /^limit must be /, [[RANGE, 0, -1, 1.5, Number.NaN]]],
  // In UTF-16, the byte of a newline is part of other characters.
  [
    "encoding",
    (reader, encoding) => reader.lines({ encoding }),
    /encoding|cannot decode/,
    [
      [VALUE, "utf16le", "UTF-16LE", "ucs2"],
      [TYPE, "utf-9"],
    ],
  ],
  ["keepSeparator", (reader, keepSeparator) => reader.lines({ keepSeparator }), /^keepSeparator must be /, [[TYPE, "no"]]],
];

/** The constructors. */
const constructors: readonly Row[] = [
  [
    "limit",
    (_, limit) => new StreamReader({ limit }),
    /^limit must be .*, not /,
    [
      [RANGE, 0, -1, Number.NaN, 1.5, Infinity],
      [TYPE, "100", null, 10n],
    ],
  ],
  ["options", (_, value) => new StreamReader(value), /^options must be an options object/, [[TYPE, 100, "100", null]]],
  [
    "clientConnectedCb",
    (reader, callback) => new StreamReaderProtocol(reader, callback),
    /^clientConnectedCb must be a function/,
    [[TYPE, 5, "callback", {}]],
  ],
];

for (const [title, rows, check] of [
  ["a read of a StreamReader", reads, (call, expected) => assert.rejects(call() as Promise<unknown>, expected)],
  ["a call of a StreamReader", calls, (call, expected) => assert.throws(call, expected)],
  ["new StreamReader and new StreamReaderProtocol", constructors, (call, expected) => assert.throws(call, expected)],
] as readonly (readonly [
  string,
  readonly Row[],
  (call: () => unknown, expected: Refusal & { readonly message: RegExp }) => void | Promise<void>,
])[]) {
  describe(title, () => {
    for (const [name, call, message, refused] of rows) {
      for (const [error, ...values] of refused) {
        it(`refuses ${values.map(show).join(", ")} for ${name}, and takes no bytes`, async () => {
          for (const value of values) {
            const reader = readerOf(["abc\n"]);
            await check(() => call(reader, value as never), { ...error, message });
            assert.equal(await rest(reader), "abc\n");
          }
        });
      }
    }
  });
}

describe("StreamReader.setException", () => {
  it("refuses anything but an Error, and the waiting read goes on", async () => {
    for (const wrong of [null, undefined, "an error", { message: "an error" }, 5]) {
      const reader = new StreamReader();
      const reading = reader.readline();
      assert.throws(() => reader.setException(wrong as never), { ...TYPE, message: /^error must be an Error/ });
      assert.equal(reader.exception(), null);
      reader.feedData("a line\n");
      assert.equal(await text(reading), "a line\n");
    }
  });
});

describe("an option that is undefined", () => {
  it("counts as absent", async () => {
    assert.equal(new StreamReader().exception(), null);
    assert.equal(new StreamReader({}).atEof(), false);
    assert.equal(new StreamReader({ limit: undefined }).atEof(), false);
    assert.equal(await text(readerOf(["abc"]).read(1, { signal: undefined })), "a");
    assert.equal(await text(readerOf(["abc"]).read(1, {})), "a");
    assert.equal(await text(readerOf(["a line\n"]).readline({ timeout: undefined })), "a line\n");
  });
});
