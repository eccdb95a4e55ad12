/** What a program that writes its last words is told. */
import type { SocketAddress } from "asyncio-streams";
import type { Via } from "./client-wires.js";
import type { Stretch } from "./stretches.js";

/** How it ends. */
export const ENDS = [
  "exit",
  "exit after drain()",
  "in an exit handler",
  "throws",
  "in a handler of SIGTERM",
  "in a handler of uncaughtException",
] as const;

export interface Words {
  readonly address: SocketAddress;
  readonly stretch: Stretch;
  readonly end: (typeof ENDS)[number];
  readonly via: Via;
}
