/** A system without memory. */

/** `Buffer.allocUnsafeSlow()`, from which the library takes its memory, fails until the end of the block. */
export function withoutMemory(): Disposable {
  const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
  Buffer.allocUnsafeSlow = () => {
    throw new RangeError("Array buffer allocation failed");
  };
  return {
    [Symbol.dispose]() {
      Buffer.allocUnsafeSlow = allocUnsafeSlow;
    },
  };
}
