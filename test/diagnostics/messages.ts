/** Listening to the library's channels of `node:diagnostics_channel`. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { DiagnosticsMessages } from "asyncio-streams";

/** The channels, without the prefix that all have. */
export type ChannelName = keyof DiagnosticsMessages extends `asyncio-streams:${infer Name}` ? Name : never;

/** A message with its channel's name. */
export type Told = { [Name in ChannelName]: { readonly name: Name } & DiagnosticsMessages[`asyncio-streams:${Name}`] }[ChannelName];

/** What has been told since it was made, until it is disposed of. */
export interface Listening extends Disposable {
  /** In the order in which it came. */
  readonly told: readonly Told[];
  /** The names alone. */
  readonly names: readonly ChannelName[];
  /** The messages of one channel. */
  of<Name extends ChannelName>(name: Name): Extract<Told, { name: Name }>[];
}

const ALL: readonly ChannelName[] = ["connect", "accept", "close", "error", "pause", "resume", "tls-upgrade"];

/** Listens to some channels; to all, unless told. */
export function listen(...names: readonly ChannelName[]): Listening {
  const told: Told[] = [];
  const subscriptions = (names.length === 0 ? ALL : names).map((name) => {
    const note = (message: unknown): void => {
      told.push({ name, ...(message as object) } as Told);
    };
    subscribe(`asyncio-streams:${name}`, note);
    return () => unsubscribe(`asyncio-streams:${name}`, note);
  });
  return {
    told,
    get names() {
      return told.map(({ name }) => name);
    },
    of<Name extends ChannelName>(name: Name) {
      return told.filter((one): one is Extract<Told, { name: Name }> => one.name === name);
    },
    [Symbol.dispose]() {
      for (const end of subscriptions) end();
    },
  };
}
