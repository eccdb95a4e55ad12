/** A CommonJS module imports all entries, which every runtime can. */
const converse = require("./conversation.cjs");

async function main() {
  await converse(await import("asyncio-streams"), await import("asyncio-streams/framing"), await import("asyncio-streams/testing"));
}

void main();
