/** `node:stream` has no counterpart in a browser. `toReadable()` and `toWritable()` throw there; `toWeb()` works. */
class Missing {
  constructor() {
    throw new Error("there are no Node streams in a browser: use toWeb()");
  }
}

export class Readable extends Missing {}
export class Writable extends Missing {}

export function finished() {
  throw new Error("there are no Node streams in a browser: use toWeb()");
}
