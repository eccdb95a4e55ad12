/** Reads and feeds a `StreamReader` with `node:stream/iter`, which only some versions of Node have, with `--experimental-stream-iter`. */
import { type Data, StreamReader } from "asyncio-streams";

interface StreamIter {
  from(source: unknown): AsyncIterable<Uint8Array[]>;
  text(source: unknown): Promise<string>;
}

const name = "node:stream/iter";
const { from, text } = (await import(name)) as StreamIter;
async function* generate(): AsyncGenerator<Data> {
  yield "one, ";
  yield Buffer.from("two");
}

console.log(await text(from(StreamReader.from(generate(), { limit: 2 }))));
console.log(String(await StreamReader.from(from(["three, ", "four"])).read()));
