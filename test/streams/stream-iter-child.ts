/** Reads and feeds a `StreamReader` with `node:stream/iter`, which only some versions of Node have, with `--experimental-stream-iter`. */
import { type Data, StreamReader } from "asyncio-streams";

interface StreamIter {
  from(source: unknown): AsyncIterable<Uint8Array[]>;
  text(source: unknown): Promise<string>;
}

const name = "node:stream/iter";
const iter = (await import(name)) as StreamIter;
async function* generate(): AsyncGenerator<Data> {
  yield "one, ";
  yield Buffer.from("two");
}

console.log(await iter.text(iter.from(StreamReader.from(generate(), { limit: 2 }))));
console.log(String(await StreamReader.from(iter.from(["three, ", "four"])).read()));
