/** The errors of wrong arguments, and tables of them. */
import { inspect } from "node:util";

/** What an error has to have. */
export interface Refusal {
  readonly name: string;
  readonly code?: string;
}

export const RANGE = { name: "RangeError", code: "ERR_OUT_OF_RANGE" };
export const TYPE = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };
export const VALUE = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE" };

/** An option, the error that refuses it, and the values that are refused. */
export type OptionRow = readonly [option: string, error: Refusal, ...values: unknown[]];

/** A value as the title of a test shows it. */
export const show = (value: unknown): string => inspect(value, { breakLength: Infinity });
