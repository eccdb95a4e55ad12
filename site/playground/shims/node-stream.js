/** `node:stream` has no counterpart in a browser. `toReadable()` and `toWritable()` throw there; `toWeb()` works. */
function missing() {
  throw new Error("there are no Node streams in a browser: use toWeb()");
}

export { missing as finished, missing as Readable, missing as Writable };
