/** The ways a function of tensors is run, for rules that hold in each. */
import { compile } from "gradus";

export interface Way {
  readonly way: string;
  /** The function as it is called this way. */
  prepare<F extends (...args: any[]) => any>(f: F): F;
}

export const WAYS: readonly Way[] = [
  { way: "outside compile", prepare: (f) => f },
  { way: "compiled", prepare: (f) => compile(f) as never },
];
