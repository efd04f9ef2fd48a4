/** What a machine with vectors can do, as far as lowering to loops cares. */
import type { LoweringContext } from "../target.ts";

export interface Machine {
  /** Bytes of a vector register: lanes of a kernel are this over its widest dtype. */
  readonly vectorBytes: number;
  /** Rows and vectors per row of the product's register tile. */
  readonly tile: {
    readonly rows: number;
    readonly vectors: number;
    /** Whether its sums stay in registers where two loops are around them. */
    readonly nested: boolean;
  };
  /** Steps of the sum in a packed panel, about: panels of that depth stay in the first caches. */
  readonly depth: number;
}

/** The program that a kernel is lowered into, and the machine it is for. */
export interface LoopContext extends LoweringContext {
  readonly machine: Machine;
}
