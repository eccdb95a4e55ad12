/** An ECMAScript module imports all entries. */
import * as streams from "asyncio-streams";
import * as framing from "asyncio-streams/framing";
import * as testing from "asyncio-streams/testing";
import converse from "./conversation.cjs";

await converse(streams, framing, testing);
