/** The ways in which a program gives memory away, after which all views of it are empty. */

type Way = (bytes: Uint8Array) => void;

/** `ArrayBuffer.prototype.transfer()`: not on Node 20. */
type Transferable = ArrayBuffer & { transfer?(): ArrayBuffer };

/** By name. */
export const waysToGiveAway: Readonly<Record<string, Way>> = {
  "structuredClone()": (bytes) => void structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] }),
  "postMessage()": (bytes) => {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(bytes, [bytes.buffer as ArrayBuffer]);
    port1.close();
    port2.close();
  },
  "enqueue()": (bytes) => {
    const start = (controller: ReadableByteStreamController): void => controller.enqueue(bytes as Uint8Array<ArrayBuffer>);
    // Without types: the DOM's and Node's differ.
    const stream = new ReadableStream({ type: "bytes", start } as never);
    void stream.cancel();
  },
  "transfer()": (bytes) => {
    const memory = bytes.buffer as Transferable;
    if (memory.transfer === undefined) structuredClone(memory, { transfer: [memory] });
    else memory.transfer();
  },
};

/** By any one of them. */
export const giveAway: Way = waysToGiveAway["structuredClone()"] as Way;
