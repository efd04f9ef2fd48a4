/** Graph → better graph: lists of named rules, in stages. */
import type { Value } from "../graph/op.ts";
import { casts, choices, powers, products, sums } from "./algebra.ts";
import { constants } from "./constants.ts";
import { contracts } from "./contracts.ts";
import { expansions, overWindows } from "./expand.ts";
import { folds } from "./folds.ts";
import { broadcasts, hoists, reshapes, slices } from "./moves.ts";
import { places } from "./places.ts";
import { reductions } from "./reductions.ts";
import { type Rule, rewrite, Shared } from "./rewrite.ts";
import { splits } from "./split.ts";

export type { Rule } from "./rewrite.ts";
export { rewrite } from "./rewrite.ts";

/** One walk over the graph with a list of rules. */
export interface Stage {
  readonly name: string;
  readonly rules: readonly Rule[];
}

const simplifications: readonly Rule[] = [
  ...constants,
  ...sums,
  ...products,
  ...powers,
  ...choices,
  ...casts,
  ...reshapes,
  ...broadcasts,
  ...hoists,
  ...slices,
  ...places,
  ...folds,
  ...reductions,
  ...contracts,
];

/** What every program needs, however little it is optimised. */
export const REQUIRED: readonly Stage[] = [{ name: "expand", rules: expansions }];

/**
 * All stages in order. Each shares equal subgraphs and drops what nothing uses. "simplify" stands twice because some rules may only
 * swallow what has one use, and that is known exactly only of a graph that the first walk has left as it is.
 */
export const STAGES: readonly Stage[] = [
  ...REQUIRED,
  { name: "simplify", rules: simplifications },
  { name: "simplify again", rules: simplifications },
  { name: "split", rules: splits },
];

export interface OptimiseOptions {
  /** 0: only what every program needs; 1 (default): all rules. */
  readonly level?: 0 | 1;
  /** Whether contractions over windows stay what they are, which nothing can run, to be counted. */
  readonly windows?: boolean;
  /** Sees the graph after each stage. */
  readonly onStage?: (name: string, outputs: readonly Value[]) => void;
  /** Filled: what became of each value, where anything did. */
  readonly became?: Map<Value, Value> | undefined;
}

/**
 * An equal graph that is cheaper to run. Arguments, variables and their order stay as they are, and so do NaN, infinities and the signs of
 * zeros, but for what is reassociated: sums (over axes, in contractions, of padded parts) are taken in any order, and leave out terms that
 * are 0, so that the sign of a sum of zeros is not said; constant factors are multiplied first.
 */
export function optimise(outputs: readonly Value[], { level = 1, windows = false, onStage, became }: OptimiseOptions = {}): Value[] {
  let values = [...outputs];
  const shared = new Shared();
  // Rules that left a graph as it is would do so again.
  let idle: readonly Rule[] | undefined;
  for (const stage of level === 0 ? REQUIRED : STAGES) {
    if (stage.rules !== idle) {
      const before = values;
      values = rewrite(values, windows ? stage.rules.filter((rule) => rule !== overWindows) : stage.rules, { shared, became });
      idle = values.every((v, i) => v === before[i]) ? stage.rules : undefined;
    }
    onStage?.(stage.name, values);
  }
  return values;
}
