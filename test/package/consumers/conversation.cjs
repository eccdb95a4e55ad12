/** What each JavaScript consumer does with the modules that it has got, however it got them: a server on a Unix socket, and a line there and back. */
const assert = require("node:assert/strict");

module.exports = async function converse(streams, framing, testing) {
  const path = process.argv[2];
  const server = await streams.startUnixServer(async (reader, writer) => {
    for await (const line of reader) writer.write(line.toString().toUpperCase());
  }, path);
  const [reader, writer] = await streams.openUnixConnection(path);
  writer.write("hello\n");
  const answer = (await reader.readline()).toString();
  writer.close();
  await writer.waitClosed();
  await server.shutdown();

  const [near, far] = testing.memoryPair();
  new framing.Framed(near.reader, near.writer, framing.ndjson()).writeFrame({ answer });
  assert.deepEqual(await new framing.Framed(far.reader, far.writer, framing.ndjson()).readFrame(), { answer });
  console.log(answer.trimEnd());
};
