/** Run with a path: serves there with this library until it is killed; sends each client a line, and reads nothing. */
import { startUnixServer } from "asyncio-streams";
import { tell } from "../support/parent.js";

const server = await startUnixServer((_reader, writer) => writer.write("welcome\nunfinished"), process.argv[2], { limit: 1 });
tell("serving");
await server.serveForever();
