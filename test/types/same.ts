/** Compares types when the tests are compiled. */
import assert from "node:assert/strict";
import { BaseProtocol, type StreamReader, type StreamWriter, type Transport } from "asyncio-streams";

/** True for two types that are the same, not only assignable to each other: such functions are assignable only then. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the two types are the same: the tests here are done when they are compiled. */
export function same<A, B>(...verdict: Equal<A, B> extends true ? [] : [never]): void {
  assert.deepEqual(verdict, []);
}

/** Compiles only if the type is accepted where the other is asked for. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function accepts<Target>(..._values: readonly Target[]): void {}

/** Never run: what stands in it is only compiled. */
export function compiled(_use: (given: { reader: StreamReader; writer: StreamWriter; transport: Transport }) => unknown): void {}

/** A protocol whose type differs from that of others. */
export class Echo extends BaseProtocol {
  readonly echoed: number = 0;
}
