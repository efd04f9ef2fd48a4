/**
 * Loops and branches over trees of tensors. Not public yet: only the interpreter runs them.
 *
 * A body reads cells and uses tensors from outside, and they become inputs; it assigns nothing and nothing in it is looked at. A draw in a loop gives
 * other numbers in each turn.
 */
import { ArgumentError } from "../core/errors.ts";
import { atUserLine } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { Tensor } from "../tensor/tensor.ts";
import { runInTrace } from "../tensor/trace.ts";
import { type Flat, flatten, structureKey, type Tree, unflatten } from "../tensor/tree.ts";
import { BodyTrace } from "./vmap.ts";

export interface LoopOptions {
  /** How many turns; that of `xs` unless said. */
  readonly length?: number;
  readonly reverse?: boolean;
}

/**
 * `step` once for each position of the first axis of `xs`: from `init` on it gives the next carry, and what is to be kept of the turn.
 *
 * Shapes: carries stay as they are; kept: [length, …].
 *
 * @example
 * loop(h0, inputs, (h, x) => { const next = x.matmul(w).add(h).tanh(); return { carry: next, kept: next }; })
 */
export function loop<C extends Tree, X extends Tree, K extends Tree>(
  init: C,
  xs: X,
  step: (carry: C, x: X) => { readonly carry: C; readonly kept: K },
  options: LoopOptions = {},
): { final: C; kept: K } {
  const [first, walked] = [flatten(init, "loop"), flatten(xs, "loop")];
  const length = options.length ?? walked.leaves[0]?.shape[0];
  if (length === undefined) throw new ArgumentError("loop: how many turns?", { help: "give { length }, or something to walk along" });
  return atUserLine(() => {
    const turns = ops.iota([length], 0, "uint32");
    let turn: { carry: Body; kept: Body } | undefined;
    const { final, kept } = ops.loop(
      nodes(first),
      [...nodes(walked), turns],
      (carry, x) => {
        const trace = new BodyTrace("loop", { ...IN_TURNS, draw: (draw) => ops.drawInTurn(draw, x.at(-1)!) });
        turn = runInTrace(trace, () => {
          const { carry: next, kept } = step(over(first, carry), over(walked, x));
          return { carry: bodyOf(next, "loop"), kept: bodyOf(kept, "loop") };
        });
        checkAlike("loop: what is carried", first, turn.carry);
        return { carry: turn.carry.values, kept: turn.kept.values };
      },
      { length, reverse: options.reverse ?? false },
    );
    return { final: over(first, final), kept: over(turn!.kept, kept) };
  });
}

const IN_TURNS = {
  assigned: {
    why: "a turn is run many times, and a cell is written once, when all is known",
    help: "carry the value, and assign it after the loop",
  },
  untapped: "keep the value of each turn, and look at what was kept",
};

/** What `yes` gives where the one bool `predicate` is true, else what `no` gives; only that is computed. */
export function cond<R extends Tree>(predicate: Tensor<[]>, yes: () => R, no: () => R): R {
  return atUserLine(() => {
    const branches: Body[] = [];
    const traced = (f: () => R) => (): readonly Value[] => {
      const body = runInTrace(new BodyTrace("cond", IN_A_BRANCH), () => bodyOf(f(), "cond"));
      branches.push(body);
      return body.values;
    };
    const chosen = ops.cond(predicate.node(), traced(yes), traced(no));
    checkAlike("cond: what the branches give", branches[0]!, branches[1]!);
    return over(branches[0]!, chosen);
  });
}

const IN_A_BRANCH = {
  assigned: { why: "the branch may not be taken", help: "return the value that the cell is to hold, and assign it outside" },
  untapped: "return the value, and look at it outside",
};

/** What a body gives, and its values, taken while it is traced. */
interface Body extends Flat {
  readonly values: readonly Value[];
}
function bodyOf(tree: Tree, who: string): Body {
  const flat = flatten(tree, who);
  return { ...flat, values: nodes(flat) };
}

function checkAlike(what: string, a: Flat, b: Flat): void {
  const [one, other] = [structureKey(a.structure), structureKey(b.structure)];
  if (one !== other) throw new ArgumentError(`${what} is ${one}, then ${other}`, { help: "give the same arrays and records" });
}

const nodes = ({ leaves }: Flat): Value[] => leaves.map((x) => x.node());

/** The same tree with other values, which gradients go through. */
const over = ({ structure, leaves }: Flat, values: readonly Value[]): any =>
  unflatten(
    structure,
    leaves.map((_, i) => new Tensor(values[i]!, { tracked: true })),
  );
