/** A CommonJS module requires all entries, where the runtime can require ECMAScript modules. */
const streams = require("asyncio-streams");
const framing = require("asyncio-streams/framing");
const testing = require("asyncio-streams/testing");
const converse = require("./conversation.cjs");

void converse(streams, framing, testing);
