/** What a suite may ask of a kind of socket, where the kinds differ. */
import type { Kind } from "../support/pairs.js";

/** A difference between kinds that the design knows of. */
export interface Traits {
  /** Each side can be ended alone: not over TLS. */
  readonly halfClose: boolean;
}

/** Unix and TCP sockets. */
export const plain: Traits = { halfClose: true };

/** One part of the suite: its tests, for a kind. */
export type Part = (kind: Kind, traits: Traits) => void;
