/** The server's side of a conversation. */
import type { StreamReader, StreamWriter } from "asyncio-streams";
import { Random } from "../test/support/random.js";
import { endDescriptors } from "./descriptors.js";
import type { End, Keepers } from "./end.js";
import type { Conversation } from "./ledger.js";
import { pause } from "./pauses.js";
import { type Order, parseOrder } from "./plan.js";
import { receive } from "./receive.js";
import type { Owner } from "./retained.js";
import { send } from "./send.js";

/** Serves one client until it goes. */
export async function serve(keepers: Keepers, reader: StreamReader, writer: StreamWriter): Promise<void> {
  const { ledger } = keepers;
  let conversation: Conversation | undefined;
  let through = (): void => {};
  const owner: Owner = { gave: false };
  try {
    for (;;) {
      const order = parseOrder(await reader.readline());
      if (order === null) break;
      if (conversation === undefined) {
        conversation = ledger.find(order.id);
        if (conversation === undefined) break; // the client has left already
        conversation.served = new Promise((resolve) => {
          through = resolve;
        });
      }
      await exchange({ side: "server", reader, writer, conversation, ...keepers, owner, gives: order.gives }, order);
      conversation.exchangesServed += 1;
      if (order.afterwards === "close") break;
      if (order.afterwards === "half-close") writer.writeEof();
    }
    if (conversation !== undefined) endDescriptors({ side: "server", reader, writer, conversation, ...keepers, owner, gives: "nothing" });
    writer.close();
    await writer.waitClosed();
  } catch (error) {
    ledger.judge(error, conversation, "server");
  } finally {
    writer.abort();
    through();
  }
}

async function exchange(end: End, { up, down, together, afterwards }: Order): Promise<void> {
  const random = new Random(up.at ^ down.at);
  if (afterwards === "abort") void pause(random.fork(), 20).then(() => end.writer.abort());
  if (together) await Promise.all([receive(end, up, random.fork()), send(end, down, random.fork())]);
  else {
    await receive(end, up, random);
    await send(end, down, random);
  }
}
