/** One of two bodies. */
import { isFloat } from "../core/dtype.ts";
import { ArgumentError, DTypeError } from "../core/errors.ts";
import { showShape } from "../core/shape.ts";
import { apply, type Body, type Nested, type NestedAttributes, type Value } from "../graph/op.ts";
import { batchAll } from "./batch.ts";
import { bound, zerosLike } from "./leaf.ts";
import { select } from "./logic.ts";
import { broadcastTo } from "./move.ts";
import { checkSame, closed, now, results, TOKEN, typeOf } from "./nested.ts";

/**
 * What `yes` gives where the bool `predicate`, one number, is true, else what `no` gives; the other is not computed. Both give the same types.
 * The gradient is that of the branch that is taken.
 */
export function cond(predicate: Value, yes: () => readonly Value[], no: () => readonly Value[]): Value[] {
  const open = [yes, no];
  const { bodies, captured } = closed(
    now(),
    open.map((build) => ({ parameters: [], results: build() })),
  );
  return branch(predicate, captured, bodies);
}

const branch = (predicate: Value, operands: readonly Value[], bodies: readonly Body[]): Value[] =>
  results(apply(condOp, [predicate, ...operands], { bodies }));

/** Inputs: the predicate, then what both bodies take. */
export const condOp: Nested = {
  kind: "nested",
  name: "cond",
  infer([predicate, ...operands], { bodies: [yes, no] }) {
    if (predicate!.dtype !== "bool" || predicate!.shape.length > 0)
      throw new DTypeError(`cond: the predicate is ${predicate!.dtype} ${showShape(predicate!.shape)}`, {
        why: "one bool says which branch is taken",
        help: "compare first, as in x.sum().gt(0); element by element it is where(mask, a, b)",
      });
    if (yes!.results.length !== no!.results.length)
      throw new ArgumentError(`cond: one branch gives ${yes!.results.length} values, the other ${no!.results.length}`);
    yes!.results.forEach((y, i) => {
      checkSame("cond", `result ${i}`, y, no!.results[i]!);
    });
    for (const { parameters } of [yes!, no!])
      parameters.forEach((p, i) => {
        checkSame("cond", `operand ${i}`, operands[i]!, p);
      });
    return TOKEN;
  },
  results: ({ bodies: [yes] }) => yes!.results.map(typeOf),
  times: () => 1,
  compute: ([predicate, ...operands], { bodies: [yes, no] }, run) => run(predicate![0] ? yes! : no!, operands),
  vjp(dys, { inputs, attributes }, wanted, vjp) {
    const { bodies } = attributes as NestedAttributes;
    const [predicate, ...operands] = inputs;
    const asked = operands.flatMap((x, i) => (wanted[i + 1] && isFloat(x.dtype) ? [i] : []));
    const given = dys.flatMap((dy, i) => (dy && isFloat(dy.dtype) ? [i] : []));
    // Each branch anew, and back through it: nothing of the branch that was taken is kept.
    const backward = bodies.map(({ parameters, results }): Body => {
      const seeds = given.map((i) => bound(results[i]!));
      const gradients = vjp(
        given.map((i) => results[i]!),
        seeds,
        asked.map((i) => parameters[i]!),
      );
      return { parameters: [...parameters, ...seeds], results: gradients.map((g, k) => g ?? zerosLike(operands[asked[k]!]!)) };
    });
    const found = branch(predicate!, [...operands, ...given.map((i) => dys[i]!)], backward);
    return inputs.map((_, i) => found[asked.indexOf(i - 1)] ?? null);
  },
  batch(inputs, batched, { attributes }, size, batchGraph) {
    const { bodies } = attributes as NestedAttributes;
    const [predicate, ...operands] = inputs;
    const all = batchAll(operands, batched.slice(1), size);
    const types = bodies[0]!.parameters;
    if (batched[0]) {
      // Each example takes its own branch: both are computed, and one is chosen.
      const [yes, no] = bodies.map(({ parameters, results }) => batchGraph(results, new Map(parameters.map((p, i) => [p, all[i]!])), size));
      return yes!.map((y, i) => select(broadcastTo(predicate!, y.shape, [0]), y, no![i]!));
    }
    return branch(
      predicate!,
      all,
      bodies.map(({ parameters, results }) => {
        const stands = types.map(({ shape, dtype }) => bound({ shape: [size, ...shape], dtype }));
        return { parameters: stands, results: batchGraph(results, new Map(parameters.map((p, i) => [p, stands[i]!])), size) };
      }),
    );
  },
};
