/** The client's side of a conversation. */
import net from "node:net";
import type { SocketAddress, StreamReader, StreamWriter } from "asyncio-streams";
import { dial } from "../test/support/addresses.js";
import { Random } from "../test/support/random.js";
import { endDescriptors } from "./descriptors.js";
import type { End, Keepers } from "./end.js";
import type { Conversation } from "./ledger.js";
import { pause } from "./pauses.js";
import { type Exchange, isRude, makePlan, type Order, type Plan, writeOrder } from "./plan.js";
import { receive } from "./receive.js";
import type { Route } from "./route.js";
import { send } from "./send.js";
import { randomStretch } from "./stretches.js";

/** A conversation takes well under a second; one that takes so long hangs. */
const STUCK_AFTER_MS = 60_000;

let conversations = 0;

/** Has a conversation with the route's server, as the dice want it. */
export async function converse(route: Route, random: Random, keepers: Keepers): Promise<void> {
  const { ledger } = keepers;
  const plan = makePlan(random, route);
  conversations += 1;
  const conversation: Conversation = {
    id: conversations,
    route,
    plan,
    rude: isRude(plan.ending),
    begun: performance.now(),
    restartsBefore: route.restarts,
    giver: null,
    broken: false,
    sent: { client: 0, server: 0 },
    taken: { client: 0, server: 0 },
    finished: new Set(),
    exchangesServed: 0,
    served: null,
  };
  let writer: StreamWriter | null = null;
  const watchdog = setTimeout(() => {
    ledger.report(`a conversation hangs; the server has served ${conversation.exchangesServed} exchanges`, conversation);
    writer?.abort();
  }, STUCK_AFTER_MS);
  ledger.begin(conversation);
  ledger.count(`route: ${route.name}`);
  ledger.count(`ending: ${plan.ending}`);
  try {
    if (plan.ending === "client talks nonsense") await talkNonsense(route, new Random(plan.seed));
    else {
      await talk(plan, conversation, keepers, (connected) => {
        writer = connected;
      });
    }
  } catch (error) {
    ledger.judge(error, conversation, "client");
  } finally {
    (writer as StreamWriter | null)?.abort();
    // Its promise is made when the first order has come, which may be after we have left.
    await conversation.served;
    clearTimeout(watchdog);
    ledger.end(conversation);
  }
}

async function talk(plan: Plan, conversation: Conversation, keepers: Keepers, onConnected: (writer: StreamWriter) => void): Promise<void> {
  const random = new Random(plan.seed);
  const [reader, writer] = await connect(plan, conversation.route, random, onConnected);
  const [gives, served] = plan.giver === "client" ? [plan.gives, "nothing" as const] : ["nothing" as const, plan.gives];
  const end: End = { side: "client", reader, writer, conversation, ...keepers, gives, owner: { gave: false } };
  if (plan.ending === "client aborts") void pause(random.fork(), 20).then(() => writer.abort());
  for (const [index, exchange] of plan.exchanges.entries()) {
    const isLast = index === plan.exchanges.length - 1;
    const afterwards = isLast ? whatServerDoes(plan) : "next";
    writer.write(writeOrder({ ...exchange, id: conversation.id, gives: served, afterwards }));
    if (isLast && plan.ending === "client resets") return reset(end, random);
    await doExchange(end, exchange, isLast && plan.ending === "client half-closes", random);
  }
  await finish(end, plan, random);
}

async function connect(
  plan: Plan,
  route: Route,
  random: Random,
  onConnected: (writer: StreamWriter) => void,
): Promise<[StreamReader, StreamWriter]> {
  if (plan.ending !== "client gives up connecting") return route.connect(plan.limit, undefined, onConnected);
  const controller = new AbortController();
  let connected: StreamWriter | null = null;
  const giveUp = async (): Promise<void> => {
    await pause(random.fork(), 10);
    controller.abort();
    connected?.abort();
  };
  void giveUp();
  return route.connect(plan.limit, controller.signal, (writer) => {
    connected = writer;
    if (controller.signal.aborted) writer.abort();
    onConnected(writer);
  });
}

function whatServerDoes({ ending }: Plan): Order["afterwards"] {
  if (ending === "server closes") return "close";
  if (ending === "server half-closes") return "half-close";
  return ending === "server aborts" ? "abort" : "next";
}

async function doExchange(end: End, { up, down, together }: Exchange, thenEof: boolean, random: Random): Promise<void> {
  const sendAll = async (): Promise<void> => {
    await send(end, up, random.fork());
    if (thenEof) end.writer.writeEof();
  };
  if (together) await Promise.all([sendAll(), receive(end, down, random.fork())]);
  else {
    await sendAll();
    await receive(end, down, random);
  }
}

/** The end of a polite conversation: on both sides, and nothing has come after what was to come. */
async function finish(end: End, { ending }: Plan, random: Random): Promise<void> {
  const { reader, writer, conversation } = end;
  if (ending !== "client closes") {
    await expectEnd(reader);
    if (ending === "server half-closes") {
      // The other direction still works.
      const order = {
        id: conversation.id,
        gives: "nothing" as const,
        up: randomStretch(random),
        down: { at: 0, length: 0 },
        together: false,
      };
      writer.write(writeOrder({ ...order, afterwards: "close" }));
      await send(end, order.up, random);
    }
  }
  endDescriptors(end);
  writer.close();
  await writer.waitClosed();
}

async function expectEnd(reader: StreamReader): Promise<void> {
  const rest = await reader.read();
  if (rest.length > 0) throw new Error(`${rest.length} bytes too many have come`);
}

/** Goes away with unread data in the system's buffer: that is a reset. */
async function reset({ writer }: End, random: Random): Promise<void> {
  writer.transport.pauseReading();
  await new Promise((resolve) => setTimeout(resolve, random.next() * 20));
  writer.abort();
}

/** Says what no server here understands, and goes. */
async function talkNonsense({ address }: Route, random: Random): Promise<void> {
  const socket = net.connect(dial(address as SocketAddress));
  socket.on("error", () => {}).resume();
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const words = Buffer.alloc(random.chance(0.2) ? 0 : random.size(100_000), random.int(1, 255));
  // The first bytes of a TLS handshake, perhaps.
  if (random.chance(0.5)) words.set([0x16, 0x03, 0x01].slice(0, words.length));
  if (words.length > 0) socket.write(words);
  await pause(random, 10);
  socket.destroy();
  await closed;
}
