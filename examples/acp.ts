/**
 * An agent and two editors of the Agent Client Protocol on one Unix socket. The agent sends its answer word by word.
 *
 * Run it: node build/examples/acp.js
 * You will see: the answers to both editors, and how many updates each one took.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agent, client, methods, ndJsonStream, PROTOCOL_VERSION } from "@agentclientprotocol/sdk";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";

/** Connects the SDK to a pair of streams. */
const streamOf = (reader: StreamReader, writer: StreamWriter) => ndJsonStream(writer.toWeb(), reader.toWeb());

let sessions = 0;
const shouter = agent({ name: "shouter" })
  .onRequest(methods.agent.initialize, () => ({ protocolVersion: PROTOCOL_VERSION, agentCapabilities: {} }))
  .onRequest(methods.agent.session.new, () => ({ sessionId: `session ${++sessions}` }))
  .onRequest(methods.agent.session.prompt, async ({ params: { sessionId, prompt }, client }) => {
    const text = prompt.map((block) => (block.type === "text" ? block.text : "")).join(" ");
    for (const word of text.toUpperCase().match(/\S+\s*/g) ?? []) {
      const update = { sessionUpdate: "agent_message_chunk" as const, content: { type: "text" as const, text: word } };
      await client.notify(methods.client.session.update, { sessionId, update });
    }
    return { stopReason: "end_turn" };
  });

/** Asks the agent, as an editor does; returns its answer and the number of updates in which it came. */
async function ask(path: string, prompt: string): Promise<string> {
  const stream = streamOf(...(await openUnixConnection(path)));
  return await client({ name: "editor" }).connectWith(stream, async (context) => {
    await context.request(methods.agent.initialize, { protocolVersion: PROTOCOL_VERSION, clientCapabilities: {} });
    return await context.buildSession("/").withSession(async (session) => {
      void session.prompt(prompt);
      let [answer, updates] = ["", 0];
      for (;;) {
        const message = await session.nextUpdate();
        if (message.kind === "stop") return `${answer} (${updates} updates, ${message.stopReason})`;
        const { update } = message;
        if (update.sessionUpdate === "agent_message_chunk" && update.content.type === "text") answer += update.content.text;
        updates += 1;
      }
    });
  });
}

const directory = await mkdtemp(join(tmpdir(), "acp-"));
const path = join(directory, "agent.sock");
const server = await startUnixServer(async (reader, writer) => await shouter.connect(streamOf(reader, writer)).closed, path, {
  mode: 0o600,
});
for (const answer of await Promise.all([ask(path, "three short words"), ask(path, "x ".repeat(5_000))])) {
  console.log(answer.length > 60 ? `${answer.length} characters: ...${answer.slice(-24)}` : answer);
}
await server.shutdown({ graceMs: 5_000 });
await rm(directory, { recursive: true });
